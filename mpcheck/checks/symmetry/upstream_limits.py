"""Configurations that upstream is known not to convert: a data file with version ranges, and what holds here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import metadata, resources
from pathlib import Path
from typing import Annotated, Any, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import Field, field_validator

from mpcheck._yaml import Strict, load_yaml


class UpstreamLimit(Strict):
    """One thing that upstream cannot do.

    Attributes:
        versions: of ``package``, for which it is known, as a version specifier.
        when: field of an architecture -> values for which it holds; all fields must match.
        message: regular expression of what upstream raises.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    package: str
    versions: str
    when: Annotated[dict[str, list[int | str | bool]], Field(min_length=1)]
    message: Annotated[str, Field(min_length=5)]
    reason: Annotated[str, Field(min_length=20)]
    link: str | None = None

    @field_validator("versions")
    @classmethod
    def _specifier(cls, value: str) -> str:
        try:
            SpecifierSet(value)
        except InvalidSpecifier as error:
            raise ValueError(f"{value!r} is not a version specifier such as >=0.3.10,<0.4") from error
        return value

    @field_validator("message")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is not a regular expression: {error}") from error
        return value

    def applies(self, fields: Mapping[str, Any]) -> bool:
        """Whether it is known for this configuration with the installed version."""
        try:
            installed = metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return False
        matched = all(name in fields and fields[name] in values for name, values in self.when.items())
        return matched and SpecifierSet(self.versions).contains(installed, prereleases=True)

    def explains(self, error: Exception) -> bool:
        """Whether upstream raised what is known."""
        return re.search(self.message, str(error)) is not None


class UpstreamLimits(Strict):
    """The data file."""

    schema_version: Literal[1]
    limits: list[UpstreamLimit]


def load_limits(path: Path | None = None) -> list[UpstreamLimit]:
    """The packaged entries, or a file's.

    Raises:
        InputError: missing file or wrong schema.
    """
    where = path or Path(str(resources.files("mpcheck") / "data" / "upstream-limits.yaml"))
    return load_yaml(UpstreamLimits, where, "file of upstream's limits").limits
