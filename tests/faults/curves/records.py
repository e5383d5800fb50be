"""What the curves are made of: one row a planting, in a strict, schema-versioned JSON document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mpcheck._files.documents import load_document, write_document
from mpcheck._files.yaml import Strict
from tests.faults.deciders.rules import Outcome

SCHEMA = 1
Size = Annotated[float, Field(ge=0, allow_inf_nan=False)]
LARGEST = 1e300
"""Stands for a result that is not finite."""


class Planting(Strict):
    """One planting and what saw it.

    Attributes:
        subject: block or property. magnitude: in its family's own measure.
        size: RMS of faulty less sound over the RMS of the noise scale, of the quantity that the fault touches most; of a property
            over its own resolution. 0: no bit of it changed.
        peak: the same, largest element over its own scale.
        asked: kinds of check that were asked; seen: those that turned red.
        rules: what other projects' rules say of the same numbers; empty where they were not asked.
        named: whether the quantity or block that the fault touches most is among those blamed; of no meaning where nothing is red.
    """

    family: str
    subject: str
    backend: str
    format: str
    direction: str
    magnitude: float
    size: Size
    peak: Size
    asked: list[str]
    seen: list[str]
    named: bool
    rules: dict[str, Outcome] = {}


class Sound(Strict):
    """Checks asked about upstream as it is: how often, and how often they turned red."""

    check: str
    format: str
    asked: Annotated[int, Field(ge=0)]
    red: Annotated[int, Field(ge=0)]


class Curves(Strict):
    """The document."""

    schema_version: Literal[1]
    environment: dict[str, Any]
    model: dict[str, Any]
    system: str
    seed: int
    sound: list[Sound]
    plantings: list[Planting]
    seconds: Size


def read_curves(path: Path) -> Curves:
    """Read a measurement.

    Raises:
        InputError: missing, truncated, not JSON, of another schema version, or with wrong fields.
    """
    return load_document(Curves, path, "detection curves", SCHEMA, "make them anew with tools/fault_curves.py")


def write_curves(path: Path, curves: Curves) -> None:
    """Write a measurement atomically, one planting a line."""
    write_document(path, curves, "plantings")
