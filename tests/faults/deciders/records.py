"""What the comparison of rules writes: a strict, schema-versioned JSON document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mpcheck._files.documents import load_document, write_document
from mpcheck._files.yaml import Strict
from tests.faults.deciders.rules import Outcome

SCHEMA = 1
Count = Annotated[int, Field(ge=0)]


class Trial(Strict):
    """One planting of the catalogue, judged by every rule.

    Attributes:
        plant: ``A16-element_index_by_layout``. blocks: that were replayed.
        excluded: why it is counted for no rule; empty where it is.
        outcomes: by rule.
    """

    plant: str
    check: str
    blocks: list[str]
    backend: str
    format: str
    direction: str
    excluded: str = ""
    outcomes: dict[str, Outcome] = {}


class Peer(Strict):
    """One rule over everything.

    Attributes:
        seen, missed, not_tested, always_red: plantings of the catalogue. clean: sound cells that it judged; alarms: those that it
            called wrong.
        clean_not_tested: sound cells that its project does not look at.
    """

    name: str
    source: str
    seen: Count
    missed: Count
    not_tested: Count
    always_red: Count
    clean: Count
    clean_not_tested: Count
    alarms: Count


class Comparison(Strict):
    """The document."""

    schema_version: Literal[1]
    environment: dict[str, Any]
    model: dict[str, Any]
    system: str
    peers: list[Peer]
    trials: list[Trial]
    alarms: dict[str, dict[str, Count]]
    """Alarms on sound cells by rule, then by format."""
    seconds: Annotated[float, Field(ge=0)]


def read_comparison(path: Path) -> Comparison:
    """Read a comparison.

    Raises:
        InputError: missing, truncated, not JSON, of another schema version, or with wrong fields.
    """
    return load_document(Comparison, path, "comparison of rules", SCHEMA, "make it anew with tools/fault_curves.py")


def write_comparison(path: Path, found: Comparison) -> None:
    """Write a comparison atomically, one planting a line."""
    write_document(path, found, "trials")
