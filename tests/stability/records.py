"""What the stability session writes: strict, one pass after another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from mpcheck._files.documents import load_document
from mpcheck._files.io import write_text
from mpcheck._files.yaml import Strict

SCHEMA = 1


class Pass(Strict):
    """The whole suite once.

    Attributes:
        session: ``precision``, ``symmetry`` or ``audit``; verdicts: how many cells or findings of each; red: the red ones, with reasons.
        act: how often the variation acted, where it counts; None where it does not.
        sampled: of the judged cells, those of structures so large that blocks see a part of them and a sample of its rows.
    """

    session: str
    model: str
    seed: int
    threads: int
    variation: str
    cells: int
    verdicts: dict[str, int]
    red: list[str]
    act: int | None = None
    sampled: int = 0
    seconds: float


class Stability(Strict):
    """All passes."""

    schema_version: Literal[1] = 1
    mpcheck: str
    environment: dict[str, Any]
    passes: list[Pass]

    @property
    def judged(self) -> int:
        """Cells with a verdict of pass or fail: what cannot run here says nothing about alarms."""
        return sum(p.verdicts.get("pass", 0) + p.verdicts.get("fail", 0) for p in self.passes)

    @property
    def sampled(self) -> int:
        """Of those, cells of structures of which blocks see a part."""
        return sum(p.sampled for p in self.passes)

    @property
    def red(self) -> list[str]:
        """Every red cell."""
        return [f"{p.model}, seed {p.seed}, {p.variation}: {r}" for p in self.passes for r in p.red]


def write_stability(path: Path, found: Stability) -> None:
    """Write atomically."""
    write_text(path, json.dumps(found.model_dump(), indent=1) + "\n")


def read_stability(path: Path) -> Stability:
    """Read a record.

    Raises:
        InputError: missing, truncated, of another schema or with a wrong field.
    """
    return load_document(Stability, path, "record of clean runs", SCHEMA, "run `nox -s stability` again")
