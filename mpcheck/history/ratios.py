"""Ratio baselines per device: the rounding ratio and bias of every quantity, and their spread between repeated runs."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from mpcheck._files.documents import DocumentKind, write_document
from mpcheck._files.io import MAX_TEXT_BYTES
from mpcheck._files.yaml import Strict
from mpcheck._names import REGENERATE
from mpcheck.judge.tolerances import DriftLimits
from mpcheck.records.environment import commit
from mpcheck.records.record import Record
from mpcheck.reference.prints import VALUE, Print, moved

REMEDY = f"restore it from version control or record it anew with `{REGENERATE}`"
Entry = list[float]
"""[rms ratio, signed bias, spread of the ratio, spread of the bias]"""


class Baseline(Strict):
    """One device's ratios for one model.

    Attributes:
        references: by ``SYSTEM/BLOCK``, prints of what the block was judged on and by (:mod:`mpcheck.reference.prints`); empty in
            baselines that were recorded before there were any.
        cells: entries by cell, then by quantity.
    """

    schema_version: Literal[1]
    suite: Literal["precision"]
    device: str
    provenance: dict[str, Any]
    model: dict[str, str]
    systems: dict[str, str]
    seed: int
    references: dict[str, dict[str, Print]] = {}
    cells: dict[str, dict[str, Entry]]

    def matches(self, model_digest: str, system: str, system_digest: str, seed: int) -> bool:
        """Whether the stored ratios are of this model, structure and seed."""
        return self.model.get("digest") == model_digest and self.systems.get(system) == system_digest and self.seed == seed

    @model_validator(mode="after")
    def _are_finite(self) -> Baseline:
        for cell, quantities in self.cells.items():
            for name, entry in quantities.items():
                if len(entry) != 4 or not all(map(math.isfinite, entry)):
                    raise ValueError(f"cells.{cell}.{name}: four finite numbers expected")
        for place, prints in self.references.items():
            for name, numbers in prints.items():
                if not numbers or not all(map(math.isfinite, numbers)):
                    raise ValueError(f"references.{place}.{name}: finite numbers expected")
        return self


FILE = "precision.json"
KIND = DocumentKind(Baseline, "baseline", 1, REMEDY, "precision", MAX_TEXT_BYTES)


def baseline_path(directory: Path, slug: str) -> Path:
    """``baselines/<device>/precision.json``."""
    return directory / slug / FILE


def read_baseline(path: Path) -> Baseline | None:
    """A device's baseline; None where there is none.

    Raises:
        InputError: truncated, not JSON, another schema, wrong fields, numbers that are not finite.
    """
    return KIND.read_if_there(path)


def collect(runs: Sequence[Sequence[Record]]) -> dict[str, dict[str, Entry]]:
    """Entries from repeated runs: the mean, and the largest distance from it."""
    series: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for run in runs:
        for cell in run:
            for q in cell.quantities:
                if q.rms is not None and q.signed_bias is not None:
                    series.setdefault(cell.id, {}).setdefault(q.name, []).append((q.rms, q.signed_bias))
    cells: dict[str, dict[str, Entry]] = {}
    for cell_id, quantities in series.items():
        cells[cell_id] = {}
        for name, pairs in quantities.items():
            ratios, biases = [p[0] for p in pairs], [p[1] for p in pairs]
            mean, bias = sum(ratios) / len(ratios), sum(biases) / len(biases)
            spread = max(abs(r - mean) for r in ratios)
            bias_spread = max(abs(b - bias) for b in biases)
            cells[cell_id][name] = [float(f"{x:.4g}") for x in (mean, bias, spread, bias_spread)]
    return cells


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Atomically, one cell or block a line, so that a change reads as one in version control."""
    write_document(path, baseline, "references", "cells")


def changes(old: Baseline | None, new: Baseline, limits: DriftLimits) -> tuple[list[str], list[str]]:
    """What an update would change: (all lines, those that loosen the gate)."""
    if old is None:
        return [f"new baseline with {len(new.cells)} cells"], []
    lines, loosened = [], []
    for cell, quantities in new.cells.items():
        if cell not in old.cells:
            lines.append(f"new cell {cell}")
            continue
        for name, entry in quantities.items():
            before = old.cells[cell].get(name)
            if before is None:
                lines.append(f"new quantity {cell} {name}")
            elif entry[0] > before[0] * (1 + limits.growth / 3) + limits.floor / 3:
                loosened.append(f"{cell} {name}: ratio {before[0]:.3g} -> {entry[0]:.3g}")
            elif entry[0] < before[0] * (1 - limits.growth / 3) - limits.floor / 3:
                lines.append(f"tighter {cell} {name}: ratio {before[0]:.3g} -> {entry[0]:.3g}")
    for place in old.references.keys() & new.references.keys():
        if name := moved(old.references[place], new.references[place], VALUE):
            loosened.append(f"{place}: the float64 reference computes another {name}")
    loosened += [f"removed cell {cell}" for cell in old.cells if cell not in new.cells]
    return lines + loosened, loosened


def provenance(repeats: int, environment: Mapping[str, Any]) -> dict[str, Any]:
    """Commit, date, repetitions, versions."""
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return {"commit": commit(), "date": date, "repeats": repeats, "packages": environment["packages"], "device": environment["device_name"]}
