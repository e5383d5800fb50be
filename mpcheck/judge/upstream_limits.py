"""Configurations that upstream is known not to convert: a data file with version ranges, and what holds here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from mpcheck._files.yaml import Strict, load_yaml
from mpcheck._raised import Raised
from mpcheck._unsupported import Unsupported
from mpcheck.judge.versions import VersionRange, installed_within


class UpstreamLimit(Strict):
    """One thing that upstream cannot do.

    Attributes:
        versions: of ``package``, for which it is known, as a version specifier.
        when: field of an architecture -> values for which it holds; all fields must match.
        message: regular expression of what upstream raises.
        backends: of whose converters it is; of all where it names none.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    package: str
    versions: VersionRange
    when: Annotated[dict[str, list[int | str | bool]], Field(min_length=1)]
    message: Annotated[str, Field(min_length=5)]
    reason: Annotated[str, Field(min_length=20)]
    link: str | None = None
    backends: list[str] = []

    @field_validator("message")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is not a regular expression: {error}") from error
        return value

    def applies(self, fields: Mapping[str, Any], backend: str = "") -> bool:
        """Whether it is known for this configuration of a backend with the installed version."""
        if self.backends and backend not in self.backends:
            return False
        matched = all(name in fields and fields[name] in values for name, values in self.when.items())
        return matched and installed_within(self.package, self.versions) is not None

    def explains(self, error: BaseException) -> bool:
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


def no_conversion(raised: Raised, backend: str) -> Unsupported | None:
    """What upstream's converter raised on a model whose architecture nobody has described, where a limit explains it; None where none does."""
    known = (limit for limit in load_limits() if installed_within(limit.package, limit.versions) is not None)
    limit = next((limit for limit in known if limit.explains(raised.error)), None)
    if limit is None:
        return None
    return Unsupported("no-conversion", f"upstream's converter cannot do this model: {limit.reason} ({raised.line})", backend)
