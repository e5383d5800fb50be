"""Plantings in blocks: one replay with the fault against one without, by the precision check's limits and by drift."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.execution import Tensors
from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.history.ratios import collect
from mpcheck.judge.metrics import FLOOR
from mpcheck.judge.replay import replay
from mpcheck.judge.scale import Scale, noise_scale
from mpcheck.records import tensors as records
from mpcheck.records.record import Record, of_tensors
from mpcheck.records.tensors import Quantity
from mpcheck.sessions.precision.drift import drifted, own_zeros
from mpcheck.sessions.run import Session
from tests.faults.curves.families import Item, planted
from tests.faults.curves.records import LARGEST, Planting
from tests.faults.deciders.observing import RAISED, names, refused
from tests.faults.deciders.peers import DECIDERS
from tests.faults.deciders.rules import Observed, Outcome, decide

LIMITS, PRECISION, DRIFT = "limits", "limits and arithmetic", "drift"


@dataclass(frozen=True)
class Sound:
    """A cell without a fault.

    Attributes:
        low: what it computes; plain: what e3nn computes in the same format; scales: noise scales; cell: its verdicts.
        objecting: names of other projects' rules that object to it as it is.
    """

    low: Tensors
    plain: Tensors
    scales: dict[str, Scale]
    cell: Record
    objecting: frozenset[str] = frozenset()


def replayed(session: Session, key: CellKey) -> tuple[Tensors, list[Quantity]]:
    """Results of one cell and the precision check's verdict on each.

    Raises:
        RuntimeError, TypeError, …: what the block raised.
    """
    check, fmt, backend = session.check(key.system), get_format(key.format), session.backend(key.backend)
    assert not isinstance(backend, Unsupported), backend
    reference = check.library.get(key.block)
    low = replay(backend, reference, fmt, key.direction)
    return low, check.compare_all(reference, backend, low, names(session, key), fmt, key)


def as_cell(key: CellKey, quantities: list[Quantity]) -> Record:
    """Quantities as the drift gate reads them."""
    failed = any(q.failures for q in quantities)
    return of_tensors(quantities, records.Tensors(), **key.about, verdict="fail" if failed else "pass")


def sound(session: Session, key: CellKey) -> Sound | None:
    """A cell as upstream is; None where it has nothing to judge."""
    if refused(session, key):
        return None
    low, quantities = replayed(session, key)
    backend, reference = session.backend(key.backend), session.library(key.system).get(key.block)
    assert not isinstance(backend, Unsupported)
    roundoff = backend.roundoff(reference.block, get_format(key.format))
    scales = {q.name: noise_scale(reference.noise[q.name], reference.statistics[q.name], roundoff, reference.values[q.name]) for q in quantities}
    plain = low if key.backend == "e3nn" else replay(session.reference_backend, reference, get_format(key.format), key.direction)
    found = Sound(low, plain, scales, as_cell(key, quantities))
    return replace(found, objecting=frozenset(n for n, o in rules(session, key, found, low, quantities).items() if o == "seen"))


def rules(session: Session, key: CellKey, clean: Sound, low: Tensors, quantities: list[Quantity]) -> dict[str, Outcome]:
    """What other projects' rules say of results; what they say of sound ones as well counts as always red.

    A plain implementation has the fault too where it is the one with the fault, or shares the step that has it.
    """
    block = session.library(key.system).block(key.block)
    beside = low if key.backend == "e3nn" or block.kind == "step" else clean.plain
    values, storage = session.library(key.system).get(key.block).values, get_format(key.format).storage
    every = [
        Observed(q.name, low[q.name], values[q.name], beside.get(q.name, values[q.name].to(storage)), q, key.backend, key.format)
        for q in quantities
        if q.name in low
    ]
    found: dict[str, Outcome] = {}
    for rule in DECIDERS:
        outcome = decide(rule, every)
        found[rule.name] = "always red" if outcome == "seen" and rule.name in clean.objecting else outcome
    return found


def sizes(before: Tensors, after: Tensors, scales: dict[str, Scale]) -> dict[str, tuple[float, float]]:
    """``(RMS, largest)`` change of each quantity in units of its noise scale."""
    found = {}
    for name, scale in scales.items():
        if name not in before or name not in after:
            continue
        change = (after[name].double() - before[name].double()).abs().to(scale.s.device)
        if not bool(torch.isfinite(change).all()):
            found[name] = (LARGEST, LARGEST)
        elif not bool(change.any()):
            found[name] = (0.0, 0.0)
        elif scale.rms > 0:
            found[name] = (float(change.square().mean().sqrt()) / scale.rms, float((change / (scale.s + FLOOR * scale.rms)).max()))
        else:
            found[name] = (LARGEST, LARGEST)
    return found


def failing(quantities: list[Quantity], arithmetic: bool) -> set[str]:
    """Quantities that fail a limit; those on arithmetic alone among them, or not."""
    return {q.name for q in quantities if any(arithmetic or not f.startswith("arithmetic") for f in q.failures)}


def moved(session: Session, key: CellKey, stored: Record, now: Record) -> set[str]:
    """Quantities of a replay that the drift gate would call red, were the baseline recorded from another."""
    backend, reference = session.reference_backend, session.library(key.system).get(key.block)
    entry = collect([[stored]])[stored.id]
    own = own_zeros(key, reference, backend.roundoff(reference.block, get_format(key.format)), backend.name, entry)
    return {found.quantity for found in drifted(now, entry, session.tolerances, own)}


def run(session: Session, item: Item, clean: Sound) -> Planting:
    """One planting."""
    key = item.key
    try:
        with planted(session, item):
            low, quantities = replayed(session, key)
    except RAISED as error:
        raise AssertionError(f"{item.family} of {item.magnitude:.3g} in {clean.cell.id} raises {error}: it is to change numbers only") from error
    changed = sizes(clean.low, low, clean.scales)
    most = max(changed, key=lambda n: changed[n][0], default="")
    size, peak = changed.get(most, (0.0, 0.0))
    red = {LIMITS: failing(quantities, False), PRECISION: failing(quantities, True)}
    red[DRIFT] = moved(session, key, clean.cell, as_cell(key, quantities))
    blamed = set().union(*red.values())
    return Planting(
        family=item.family, subject=key.block, backend=key.backend, format=key.format, direction=key.direction, magnitude=item.magnitude,
        size=size if math.isfinite(size) else LARGEST, peak=peak if math.isfinite(peak) else LARGEST,
        asked=[LIMITS, PRECISION, DRIFT], seen=[kind for kind, found in red.items() if found], named=most in blamed,
        rules=rules(session, key, clean, low, quantities),
    )  # fmt: skip
