"""The catalogue of real faults: a strict schema, its file, and what each planting asks of the suite."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from mpcheck._errors import InputError
from mpcheck._files.yaml import Strict, load_yaml
from mpcheck.formats import FORMATS
from mpcheck.judge.replay import DIRECTIONS
from tests.faults.patches import PATCHES

FILE = Path(__file__).with_name("catalogue.yaml")
BACKENDS = ("e3nn", "cueq", "cueq-mul_ir")

Text = Annotated[str, Field(min_length=1)]
CheckName = Literal[
    "precision", "golden", "equivariance", "layout", "mix", "conversion", "engagement", "dtypes", "accumulation", "reductions",
    "graph", "size", "physics", "modes", "outputs", "doors", "latency", "first-call", "cost",
]  # fmt: skip


class Acts(Strict):
    """Where a real fault acted, as far as its report says.

    Attributes:
        block: glob pattern of block names of a MACE model; empty where it acts outside of any block.
        backend: empty for any. format: formats that show it; empty for all.
        direction: ``forward``, ``backward`` or ``double backward``; empty where it acts on neither, or both.
        from_call: the first call of a process that is wrong, from 1.
    """

    block: str = ""
    backend: str = ""
    format: list[str] = []
    direction: Literal["", "forward", "backward", "double backward"] = ""
    from_call: Annotated[int, Field(ge=1)] = 1

    @field_validator("format")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        if unknown := sorted(set(value) - set(FORMATS)):
            raise ValueError(f"unknown format {unknown[0]!r}; choose from {', '.join(FORMATS)}")
        return value


class Plant(Strict):
    """One way to plant a fault, and the piece of the suite that must turn red.

    Attributes:
        patch: name of a context manager of ``tests.faults.patches``; arguments: its parameters, at the magnitude of the real fault.
        check: which check; subject: its block, property or configuration.
        backend, format, direction, system: of the piece of work, where the check has them.
        model: ``two-heads`` of what only a model of several heads can show; the session's own else.
        variant: of the finding, where one piece of work finds several; empty for the first that is red.
        expected: glob pattern of the block (or the property of the whole model) that must be named.
        says: text that the reason must hold, so that no other failure is taken for this one.
        red: the verdict that counts as red; clean: the verdict without the fault.
        inherited: the fault is there before the references are made, as in an upstream that came with it; otherwise they are sound.
        slow: takes more than ten seconds.
    """

    patch: Text
    arguments: dict[str, float | int | str] = {}
    check: CheckName
    subject: str = ""
    backend: str = "e3nn"
    format: str = "float64"
    direction: Literal["forward", "backward"] = "forward"
    system: str = "builtin:water"
    model: Literal["", "two-heads"] = ""
    variant: str = ""
    expected: Text
    says: str = ""
    red: Literal["fail", "degraded", "known-fault"] = "fail"
    clean: Literal["pass", "known-fault"] = "pass"
    inherited: bool = False
    slow: bool = False

    @property
    def session(self) -> str:
        """The key of the session that it is judged in."""
        return f"{self.model} {self.system}".strip()

    @model_validator(mode="after")
    def _exists(self) -> Plant:
        known: dict[str, Collection[str]] = {"patch": PATCHES, "backend": BACKENDS, "format": FORMATS, "direction": DIRECTIONS}
        for what, names in known.items():
            value = getattr(self, what)
            if value not in names:
                raise ValueError(f"unknown {what} {value!r}; choose from {', '.join(sorted(names))}")
        return self


class Fault(Strict):
    """One real fault.

    Attributes:
        id: tier and number: A silent wrong physics, B lost precision, C not finite or a crash, D development of weights, conversions
            and layouts, E tests, benchmarks and speed, F found since, in uses beyond evaluation.
        source: repository and issue, pull request, commit or changelog entry; symptom: what its users saw.
        acts: see :class:`Acts`. plants: ways to plant it; cannot: why it cannot be planted on a CPU. One of the two.
    """

    id: Annotated[str, Field(pattern=r"^[A-F][1-9][0-9]?$")]
    source: Text
    symptom: Text
    acts: Acts = Acts()
    plants: list[Plant] = []
    cannot: str = ""

    @model_validator(mode="after")
    def _either(self) -> Fault:
        if bool(self.plants) == bool(self.cannot):
            raise ValueError(f"fault {self.id}: give plants or why it cannot be planted, one of the two")
        return self


class Catalogue(Strict):
    """The file."""

    schema_version: Literal[1]
    faults: Annotated[list[Fault], Field(min_length=1)]

    @model_validator(mode="after")
    def _unique(self) -> Catalogue:
        ids = [fault.id for fault in self.faults]
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"two faults have the id {twice[0]}")
        return self


def ordered(fault: Fault) -> tuple[str, int]:
    """A1, A2 … A10 …"""
    return fault.id[0], int(re.sub(r"\D", "", fault.id))


@cache
def load_catalogue(path: Path = FILE) -> Catalogue:
    """Read and check the catalogue.

    Raises:
        InputError: missing, not YAML, another schema version, a wrong field, an id given twice, an unknown patch, or out of order.
    """
    found = load_yaml(Catalogue, path, "catalogue of faults")
    for before, after in zip(found.faults, found.faults[1:], strict=False):
        if ordered(before) > ordered(after):
            raise InputError(f"catalogue of faults {path}: {after.id} comes after {before.id}; keep the faults in the order of their ids")
    return found


def plantings() -> Iterator[tuple[str, Fault, Plant]]:
    """Every planting with its id, ``A1`` or, of several, ``B2c``, and its fault."""
    for fault in load_catalogue().faults:
        for number, plant in enumerate(fault.plants):
            yield f"{fault.id}{chr(97 + number) if len(fault.plants) > 1 else ''}", fault, plant
