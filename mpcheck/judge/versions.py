"""Version ranges in the data files about upstream."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import AfterValidator


def _specifier(value: str) -> str:
    try:
        SpecifierSet(value)
    except InvalidSpecifier as error:
        raise ValueError(f"{value!r} is not a version specifier such as '>=0.3.10,<0.4': {error}") from error
    return value


VersionRange = Annotated[str, AfterValidator(_specifier)]


def installed_within(package: str, versions: str) -> str | None:
    """The installed version of a distribution where it lies in a range; None where another one, or none, is installed."""
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
    return version if SpecifierSet(versions).contains(version, prereleases=True) else None
