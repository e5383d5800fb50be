"""What the kill matrix holds: strict, and written one file a planting, so that test workers share nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from mpcheck._files.documents import load_document
from mpcheck._files.io import write_text
from mpcheck._files.yaml import Strict
from tests.faults.catalogue import CheckName

SCHEMA = 1
Blame = Literal["right", "wrong", "property", "not seen"]
"""right: it names blocks that the fault is in, and no other; wrong: it names a block that the fault is not in; property: it is red,
and names a property of the whole model, which block it leaves open."""


class Entry(Strict):
    """One kind of check on one planted fault.

    Attributes:
        named: the blocks that it blames, in the order of the model.
        says: the first red conclusion: its id and its reason.
        seconds: from the start of the check to its end, on one core; work: pieces that it did; red: those of them that were red.
    """

    check: CheckName
    blame: Blame
    named: list[str] = []
    says: str = ""
    seconds: float
    work: int
    red: int = 0


class Row(Strict):
    """One planted fault.

    Attributes:
        plant: its id: ``A1``, ``B2c`` …; truth: blocks whose own results it changes, and the one that the catalogue expects.
        whole: the catalogue expects a property of the whole model to be named, not a block.
    """

    schema_version: Literal[1] = 1
    plant: str
    fault: str
    patch: str
    backend: str
    format: str
    truth: list[str]
    expected: CheckName
    whole: bool
    entries: list[Entry]

    @property
    def score(self) -> float:
        """1 where a check names the right block and none a wrong one, or where the fault is of the whole model and its property is
        named; a half where it is seen but not put in its place; 0 where it is not seen.
        """
        blames = {e.check: e.blame for e in self.entries if e.blame != "not seen"}
        if not blames:
            return 0.0
        right = "right" in blames.values() or (self.whole and blames.get(self.expected) == "property")
        return 1.0 if right and "wrong" not in blames.values() else 0.5


def write_row(directory: Path, row: Row) -> None:
    """``PLANT.json``."""
    write_text(directory / f"{row.plant}.json", json.dumps(row.model_dump(), indent=1) + "\n")


def read_rows(directory: Path) -> list[Row]:
    """Every row of a directory.

    Raises:
        InputError: a file that is truncated, of another schema or with a wrong field.
    """
    paths = sorted(directory.glob("*.json"))
    return [load_document(Row, path, "row of the kill matrix", SCHEMA, "run `nox -s faults` again") for path in paths]
