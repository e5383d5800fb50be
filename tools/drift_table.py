"""Measure whom the drift gate blames, and what it sees: ``python tools/drift_table.py [--thinning 16] [--no-with-blame]``.

Three tables as Markdown, for docs/ratios.md, each by the plain rule (stored ratio, its spread, 15 % and 2/sqrt(n); nothing else is known)
and by the gate: cells that benign rewritings turn red, planted faults that drift sees, and drifted cells behind a block that computes
otherwise. builtin:hco on builtin:water, e3nn, against the stored baseline of this device; some two minutes of one core.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # rewritings and faults are part of the tests

from mpcheck._text import markdown_table, put  # noqa: E402
from mpcheck.checks.precision import CellKey  # noqa: E402
from mpcheck.formats import FORMATS, get_format  # noqa: E402
from mpcheck.history.ratios import Entry  # noqa: E402
from mpcheck.judge.replay import DIRECTIONS  # noqa: E402
from mpcheck.records.record import Record  # noqa: E402
from mpcheck.reference.prints import distance, prints_of, size  # noqa: E402
from mpcheck.sessions.precision.drift import drifted, own_zeros  # noqa: E402
from mpcheck.sessions.precision.limits import judge_by_limits  # noqa: E402
from mpcheck.sessions.precision.suite import Suite  # noqa: E402
from mpcheck.sessions.run import Options, Session  # noqa: E402
from tests.faults.catalogue_runs import anew  # noqa: E402
from tests.faults.curves import cells as curve_cells  # noqa: E402
from tests.faults.curves.families import planted  # noqa: E402
from tests.faults.curves.plans import cell_items  # noqa: E402
from tests.faults.patches import PATCHES  # noqa: E402
from tests.faults.rewritings import REWRITINGS  # noqa: E402
from tests.faults.twins.acting import Acts  # noqa: E402

SYSTEM = "builtin:water"
SIZES = (0.25, 0.5, 1.0, 2.0)
FAULTS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "radial basis 0.01 % off": ("another_bessel_prefactor", {"factor": 1.0001}),
    "all atoms one element": ("elements_all_alike", {}),
    "no cut-off envelope": ("no_envelope", {}),
}


def plain(cell: Record, stored: Mapping[str, Entry]) -> bool:
    """The rule that knows nothing but the stored numbers."""
    for q in cell.quantities:
        if q.name in stored and q.rms is not None and q.signed_bias is not None:
            rms, bias, rms_spread, bias_spread = stored[q.name]
            chance = 2 / math.sqrt(max(1, math.prod(q.shape)))
            grown = q.rms > rms * (1.15 + chance) + 3 * rms_spread + 0.05
            if grown or (abs(q.signed_bias - bias) > 3 * bias_spread + 0.05 + chance and abs(q.signed_bias) > abs(bias)):
                return True
    return False


class Gate:
    """Both rules on one session's cells."""

    def __init__(self, session: Session) -> None:
        self.session = session
        stored = Suite(session, ROOT / "baselines").baseline
        assert stored is not None, "no baseline of this device"
        self.stored = stored.cells

    def both(self, key: CellKey, cell: Record) -> tuple[bool, bool]:
        """Red by the plain rule, and by the gate's."""
        reference = self.session.library(SYSTEM).get(key.block)
        roundoff = self.session.reference_backend.roundoff(reference.block, get_format(key.format))
        own = own_zeros(key, reference, roundoff, "e3nn")
        entry = self.stored[cell.id]
        return plain(cell, entry), bool(drifted(cell, entry, self.session.tolerances, own))


def keys(blocks: Iterable[str]) -> Iterator[CellKey]:
    """Of all formats and directions."""
    return (CellKey(SYSTEM, b, "e3nn", f, d) for b in blocks for f in FORMATS for d in DIRECTIONS)


def rewritings(gate: Gate) -> None:
    """Benign rewritings, judged by references that were made without them, as in a gate."""
    total, rows = Counter[str](), []
    for name, one in REWRITINGS.items():
        row = Counter[str]()
        with one.plant(gate.session, Acts()):
            for key in keys([*one.leaves(gate.session, SYSTEM), *one.around(gate.session, SYSTEM)]):
                cell = judge_by_limits(gate.session, key)
                if cell.quantities and cell.verdict == "pass":
                    before, now = gate.both(key, cell)
                    row.update({"cells": 1, "before": before, "now": now, "wide": now and key.format == "float64"})
        total.update(row)
        rows.append((name, row))
    cells = ([name, *(str(row[kind]) for kind in ("cells", "before", "now", "wide"))] for name, row in [*rows, ("**all**", total)])
    put("\n".join(markdown_table(("rewriting", "cells", "plain rule", "drift gate", "of them float64"), cells, "lrrrr")))


def power(gate: Gate, thinning: int) -> None:
    """Planted faults by size, in units of the noise scale."""
    seen: dict[str, Counter[tuple[str, int]]] = {}
    for item in cell_items(gate.session, SYSTEM, thinning, 0):
        clean = curve_cells.sound(gate.session, item.key) if item.key.backend == "e3nn" else None
        if clean is None:
            continue
        with planted(gate.session, item):
            low, quantities = curve_cells.replayed(gate.session, item.key)
        most = max((s for s, _ in curve_cells.sizes(clean.low, low, clean.scales).values()), default=0.0)
        if not most:
            continue
        cell = curve_cells.as_cell(item.key, quantities)
        before, now = gate.both(item.key, cell)
        place = sum(most >= edge for edge in SIZES)
        row = seen.setdefault(item.key.format, Counter())
        row.update({("all", place): 1, ("before", place): before, ("now", place): now, ("limits", place): cell.verdict == "fail"})
    heads = [f"below {SIZES[0]:g}", *(f"{a:g} to {b:g}" for a, b in itertools.pairwise(SIZES)), f"from {SIZES[-1]:g}"]
    rows = [
        [fmt, *(", ".join(str(row[kind, i]) for kind in ("before", "now", "limits")) + f" / {row['all', i]}" for i in range(len(heads)))]
        for fmt, row in seen.items()
    ]
    put("\n".join(markdown_table(("plantings seen by plain rule, drift gate, limits, of all", *heads), rows, "l" + "r" * len(heads))))


def blame(session: Session) -> None:
    """Faults that are in the references as well, which they make for themselves."""
    rows = []
    for name, (patch, arguments) in FAULTS.items():
        with tempfile.TemporaryDirectory() as cache:
            made = anew(session, Path(cache))
            with PATCHES[patch](made, **arguments):
                rows.append([name, *_blamed(made, Gate(made).stored)])
    head = ("fault in upstream and its references", "red by the plain rule", "by drift", "inputs moved", "least move of a print")
    put("\n".join(markdown_table(head, rows, "llllr")))


def _blamed(made: Session, stored: Mapping[str, Mapping[str, Entry]]) -> list[str]:
    suite = Suite(made, ROOT / "baselines")
    before, red, behind = Counter[str](), Counter[str](), Counter[str]()
    for key in made.cells():
        cell = suite.judge(key)
        before[key.block] += bool(cell.quantities) and plain(cell, stored[cell.id])
        red[key.block] += cell.drift == "fail"
        behind[key.block] += cell.drift == "inputs-moved"
    moves = _moves(made, suite)
    return [_said(before), _said(red), _said(behind), f"{min(moves):.1g}" if moves else "none"]


def _moves(made: Session, suite: Suite) -> list[float]:
    assert suite.baseline is not None
    moves = []
    for block in made.blocks(SYSTEM):
        stored = suite.baseline.references[f"{SYSTEM}/{block.name}"]
        for name, now in prints_of(made.library(SYSTEM).get(block.name)).items():
            far, whole = distance(stored[name], now), size(stored[name], now)
            moves += [far / whole] if whole and far > 1e-14 * whole else []
    return moves


def _said(counts: Mapping[str, int]) -> str:
    names = [name for name, number in counts.items() if number]
    return f"{sum(counts.values())} cells of " + (", ".join(names) if len(names) < 4 else f"{len(names)} blocks") if names else "none"


def main(thinning: Annotated[int, typer.Option(help="Every so many magnitudes of a fault.")] = 16, with_blame: bool = True) -> None:
    """Measure and print."""
    session = Session(Options(systems=(SYSTEM,), backends=("e3nn",)))
    for block in session.blocks(SYSTEM):
        session.library(SYSTEM).get(block.name)  # made before anything is planted
    gate = Gate(session)
    with contextlib.suppress(BrokenPipeError):
        rewritings(gate)
        power(gate, thinning)
        if with_blame:
            blame(session)


if __name__ == "__main__":
    typer.run(main)
