"""What is measured of faults confined to some rows: strict, one row a block, format and share of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mpcheck._files.documents import load_document, write_document
from mpcheck._files.yaml import Strict
from tests.faults.curves.records import Size

SCHEMA = 2
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Row(Strict):
    """Faults in one share of the rows of a block's result.

    Attributes:
        share: of the rows that are wrong, 0 for one row. rows: of the result; sampled: of them, judged by default.
        every: size from which on half of the faults are seen where every row is judged, in noise scales of the rows that are wrong; scattered,
            of_a_kind: in a sample, where rows are wrong by what is in them; by_number: in the whole model in several orders, where they are
            wrong by their number. at_full, by_number_at_full: by the check of every row at full size. None where it is never half.
        met, met_of_a_kind: share of the faults of which the sample has at least one row.
        asked: faults where every row is judged, of each kind in the sample and at full size, and in the whole model.
    """

    block: str
    format: str
    share: Share
    rows: Count
    sampled: Count
    every: Size | None
    scattered: Size | None
    of_a_kind: Size | None
    met: Share
    met_of_a_kind: Share
    by_number: Size | None
    at_full: Size | None
    by_number_at_full: Size | None
    asked: list[Count]


class Confined(Strict):
    """The document."""

    schema_version: Literal[2]
    environment: dict[str, Any]
    model: dict[str, Any]
    system: str
    atoms: Count
    edges: Count
    rows: list[Row]
    seconds: Size


def read_confined(path: Path) -> Confined:
    """Read a measurement.

    Raises:
        InputError: missing, truncated, not JSON, of another schema version, or with wrong fields.
    """
    return load_document(Confined, path, "faults in some rows", SCHEMA, "make it anew with tools/fault_curves.py --only rows")


def write_confined(path: Path, found: Confined) -> None:
    """Write a measurement atomically, one row a line."""
    write_document(path, found, "rows")
