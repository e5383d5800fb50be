"""Stored latencies of one device: schema, strict reading, writing, and when they may be compared with new ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from mpcheck import __version__
from mpcheck._errors import InputError
from mpcheck._files.documents import DocumentKind, write_document
from mpcheck._files.stored import Model, Stamp, now
from mpcheck._files.yaml import Strict
from mpcheck.bench.figures import BenchFigures
from mpcheck.history.latency.device import DeviceKey
from mpcheck.records.environment import commit

DIGITS = 6  # significant ones, of stored figures: no clock knows more
REMEDY = "restore it from version control, or measure anew with `mpcheck bench` and store that with `mpcheck baseline update`"


class Provenance(Stamp):
    """Origin of a run's figures.

    Attributes:
        launches, rounds: how many of each a benchmark had, at most.
        reason: why a gate was loosened by storing them; empty where none was.
    """

    mpcheck: str
    launches: Annotated[int, Field(ge=1)]
    rounds: Annotated[int, Field(ge=1)]
    reason: str = ""


class BenchBaseline(Strict):
    """BenchFigures of one device and model: those of a run, or those that are stored.

    Attributes:
        systems: digest by name.
        options: whatever else must be the same for figures to be comparable, such as the seed.
        cells: figures by :attr:`mpcheck.bench.keys.BenchKey.id`.
        origins: of the cells that an earlier update than ``provenance`` stored.
    """

    schema_version: Literal[1] = 1
    suite: Literal["bench"] = "bench"
    device: DeviceKey
    provenance: Provenance
    model: Model
    systems: dict[str, str]
    options: dict[str, int | str | bool]
    cells: Annotated[dict[str, BenchFigures], Field(min_length=1)]
    origins: dict[str, Stamp] = {}

    @field_validator("cells")
    @classmethod
    def _are_sound(cls, cells: dict[str, BenchFigures]) -> dict[str, BenchFigures]:
        for name, figures in cells.items():
            for i, launch in enumerate(figures.launches):
                where = f"{name}.launches.{i}"
                if any(b < a for a, b in zip(launch.quantiles, launch.quantiles[1:], strict=False)):
                    raise ValueError(f"{where}.quantiles: {launch.quantiles} are not in ascending order")
                if launch.joules is not None and not (math.isfinite(launch.joules) and launch.joules >= 0):
                    raise ValueError(f"{where}.joules: {launch.joules} is no energy")
        return cells

    @model_validator(mode="after")
    def _belong_together(self) -> BenchBaseline:
        if strangers := sorted(set(self.origins) - set(self.cells)):
            raise ValueError(f"origins.{strangers[0]}: there is no such cell")
        return self

    def origin(self, cell: str) -> Stamp:
        """Which commit a cell's figures were measured at, and when."""
        return self.origins.get(cell, self.provenance)

    def mismatches(self, device: DeviceKey, model_digest: str, systems: Mapping[str, str], options: Mapping[str, int | str | bool]) -> list[str]:
        """Why these figures must not be compared with others, in words; empty where they may.

        Args:
            systems: digest by name; only those that both have are compared.
        """
        reasons = self.device.matches(device)
        if self.model.digest != model_digest:
            reasons.append(f"another model is stored ({self.model.name}, {self.model.digest[:12]}; here {model_digest[:12]})")
        reasons += [f"system {n} is another structure than the stored one" for n, d in systems.items() if self.systems.get(n, d) != d]
        for name in sorted({*self.options, *options}):
            old, new = self.options.get(name), options.get(name)
            if old != new:
                reasons.append(f"option {name} {old} stored, {new} here")
        return reasons


KIND = DocumentKind(BenchBaseline, "latency baseline", 1, REMEDY, "bench")


def provenance_of(cells: Mapping[str, BenchFigures], reason: str = "") -> Provenance:
    """Commit of the current directory, time, version, and how much was measured."""
    launches = [figures.launches for figures in cells.values()]
    return Provenance(
        commit=commit(),
        date=now(),
        mpcheck=__version__,
        launches=max(map(len, launches), default=1),
        rounds=max((launch.rounds for many in launches for launch in many), default=1),
        reason=reason,
    )


def bench_path(directory: Path, slug: str) -> Path:
    """``baselines/<device>/bench.json``."""
    return directory / slug / "bench.json"


def read_baseline(path: Path, what: str = "latency baseline", remedy: str = REMEDY) -> BenchBaseline | None:
    """Stored figures; None where there is no file.

    Raises:
        InputError: a directory, more than 64 MiB, truncated, not JSON, a field twice, another suite's file, a future schema, a
            wrong field, seconds that are not positive and finite, quantiles that do not ascend, a cell without launches.
    """
    return replace(KIND, what=what, remedy=remedy).read_if_there(path)


def stored_for(
    path: Path, device: DeviceKey, model_digest: str, systems: Mapping[str, str], options: Mapping[str, int | str | bool]
) -> tuple[BenchBaseline | None, str]:
    """The baseline to compare a run with, or None and the reason for the verdict ``no-baseline``.

    Raises:
        InputError: see :func:`read_baseline`.
    """
    baseline = read_baseline(path)
    if baseline is None:
        return None, f"nothing is stored for this device in {path}"
    differing = baseline.mismatches(device, model_digest, systems, options)
    return (None, "the stored figures are of something else: " + "; ".join(differing)) if differing else (baseline, "")


def rounded(value: Any) -> Any:
    """The same data with every float at :data:`DIGITS` significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list) else value


def write_baseline(path: Path, baseline: BenchBaseline) -> None:
    """Atomically, one cell a line, so that a change reads as one in version control; figures at six significant digits.

    Raises:
        InputError: the place cannot be written, or a directory has the name.
    """
    if path.is_dir():
        raise InputError(f"latency baseline {path} is a directory; remove it or choose another place")
    data = baseline.model_dump()
    write_document(path, {**data, "cells": rounded(data["cells"])}, "cells")
