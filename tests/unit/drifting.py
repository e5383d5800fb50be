"""What tests of the drift gate share: a baseline of a session as it is, and a suite that reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mpcheck.checks.precision import CellKey
from mpcheck.history.ratios import Baseline, Entry, baseline_path, collect, write_baseline
from mpcheck.records.environment import device_slug
from mpcheck.records.record import Record
from mpcheck.records.tensors import Quantity
from mpcheck.reference.prints import Print
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Session


def baseline_of(session: Session, cells: Iterable[Record], references: Mapping[str, dict[str, Print]] | None = None) -> Baseline:
    """What a regeneration would store of some cells, judged twice alike."""
    listed = list(cells)
    return Baseline(
        schema_version=1, suite="precision", device=device_slug("cpu"), provenance={},
        model={"name": session.model.name, "digest": session.model.digest}, systems={n: s.digest for n, s in session.systems.items()},
        seed=session.options.seed, references=dict(references or {}), cells=collect([listed, listed]),
    )  # fmt: skip


def suite_of(session: Session, baseline: Baseline, directory: Path) -> Suite:
    """A suite with a baseline of its own."""
    write_baseline(baseline_path(directory, device_slug("cpu")), baseline)
    return Suite(session, directory)


def with_quantities(cell: Record, quantities: Iterable[Quantity], **changes: Any) -> Record:
    """The cell with other tensors, and other changes."""
    return cell.model_copy(update={"detail": cell.tensors.model_copy(update={"quantities": list(quantities)}), **changes})


def tightened(baseline: Baseline, keys: Iterable[CellKey], only: str = "", factor: float = 0.5) -> Baseline:
    """The baseline with the ratios of some cells so much smaller that what sound code does has drifted from them.

    Args:
        only: of quantities whose name has this in it.
    """
    cells: dict[str, dict[str, Entry]] = dict(baseline.cells)
    for key in keys:
        place = f"{key.system}/{key.block}-{key.backend}-{key.format}-{key.direction}"
        cells[place] = {name: [(factor if only in name else 1.0) * entry[0], *entry[1:]] for name, entry in cells[place].items()}
    return baseline.model_copy(update={"cells": cells})
