"""The list of twins: a strict schema, its file, and which twin stands for which planting of the catalogue."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from string import ascii_lowercase
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mpcheck._errors import InputError
from mpcheck._files.yaml import Strict, load_yaml
from mpcheck.formats import FORMATS
from tests.faults.catalogue import Fault, Plant, Text, load_catalogue
from tests.faults.twins import TWINS

FILE = Path(__file__).parent.with_suffix(".yaml")


class Entry(Strict):
    """One twin of one fault.

    Attributes:
        fault: id; planting: which of its plantings (``a``, ``b`` … in the catalogue's order), empty for all of them.
        twin: name in ``TWINS``; arguments: its parameters.
        why: why it is legitimate, in one line.
        bits: whether some result of the planting's block, or of the whole model, has other bits.
        blocks: leaf blocks in which it rounds otherwise; all their cells on e3nn must stay green. Where it takes a type, in that of the format.
        alarms: formats in which some of these cells turn red all the same, each with the reason: known false alarms of the suite.
    """

    fault: Annotated[str, Field(pattern=r"^[A-F][1-9][0-9]?$")]
    planting: Annotated[str, Field(pattern=r"^[a-z]?$")] = ""
    twin: Text
    arguments: dict[str, float | int | str] = {}
    why: Annotated[str, Field(min_length=1, pattern=r"^[^\n]*$")]
    bits: Literal["changed", "equal"]
    blocks: list[Text] = []
    alarms: dict[str, Text] = {}

    @model_validator(mode="after")
    def _exists(self) -> Entry:
        if self.twin not in TWINS:
            raise ValueError(f"unknown twin {self.twin!r}; choose from {', '.join(sorted(TWINS))}")
        taken = list(inspect.signature(TWINS[self.twin]).parameters)[2:]
        if set(taken) != set(self.arguments):
            raise ValueError(f"{self.twin} takes the arguments {taken}, not {sorted(self.arguments)}")
        if self.blocks and self.bits == "equal":
            raise ValueError(f"{self.twin} changes no bits, so that it needs no blocks")
        if unknown := sorted(set(self.alarms) - set(FORMATS)):
            raise ValueError(f"unknown format {unknown[0]!r}; choose from {', '.join(FORMATS)}")
        return self


class Twins(Strict):
    """The file."""

    schema_version: Literal[1]
    twins: Annotated[list[Entry], Field(min_length=1)]


def lettered(fault: Fault) -> dict[str, Plant]:
    """By letter."""
    return dict(zip(ascii_lowercase, fault.plants, strict=False))


def covered(entry: Entry) -> dict[str, Plant]:
    """The plantings that an entry stands for, by letter."""
    fault = next((f for f in load_catalogue().faults if f.id == entry.fault), None)
    every = lettered(fault) if fault else {}
    return {letter: plant for letter, plant in every.items() if entry.planting in ("", letter)}


@cache
def load_twins(path: Path = FILE) -> Twins:
    """Read and check the file.

    Raises:
        InputError: missing, not YAML, another schema version, a wrong field, an unknown twin, arguments that it does not take, a
            fault or planting that the catalogue does not have, or a planting without a twin.
    """
    found = load_yaml(Twins, path, "list of twins")
    have: set[tuple[str, str]] = set()
    for entry in found.twins:
        letters = covered(entry)
        if not letters:
            raise InputError(f"list of twins {path}: {entry.twin}: the catalogue has no planting {entry.fault}{entry.planting}")
        have |= {(entry.fault, letter) for letter in letters}
    for fault in load_catalogue().faults:
        if missing := [letter for letter in lettered(fault) if (fault.id, letter) not in have]:
            raise InputError(f"list of twins {path}: planting {fault.id}{missing[0]} ({lettered(fault)[missing[0]].patch}) has no twin; add one")
    return found
