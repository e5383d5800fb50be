"""Sound cells, judged by every rule: what it calls wrong there is a false alarm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.checks.physics.structure import evaluate
from mpcheck.checks.precision import CellKey
from mpcheck.judge.replay import DIRECTIONS
from mpcheck.sessions.run import Session
from tests.faults.deciders.observing import observed
from tests.faults.deciders.peers import DECIDERS
from tests.faults.deciders.rules import decide

Tally = dict[str, Counter[str]]
"""By rule: ``clean``, ``not tested``, ``alarms`` and ``alarms FORMAT``."""


def clean_keys(session: Session, system: str, backends: Sequence[str], formats: Sequence[str]) -> list[CellKey]:
    """Every leaf block and step in every format, backend and direction."""
    blocks = [b.name for b in session.library(system).blocks() if b.kind != "composite"]
    return [CellKey(system, b, backend, fmt, d) for b in blocks for backend in backends for fmt in formats for d in DIRECTIONS]


def false_alarms(session: Session, keys: Sequence[CellKey], progress: Callable[[str], None] = lambda _: None) -> Tally:
    """Judge sound cells; those with nothing to judge count for no rule."""
    tally: Tally = {rule.name: Counter() for rule in DECIDERS}
    for key in keys:
        progress(f"sound {key.block} {key.backend} {key.format}")
        found = observed(session, key)
        if not found:
            continue
        for rule in DECIDERS:
            outcome, row = decide(rule, found), tally[rule.name]
            row["not tested" if outcome == "not tested" else "clean"] += 1
            if outcome == "seen":
                row.update(("alarms", f"alarms {key.format}"))
    return tally


def end_to_end_alarm(session: Session, system: str) -> bool:
    """Upstream's own rule on two sound whole models; False too where there is no twin."""
    twin = session.backend("cueq")
    if isinstance(twin, Unsupported):
        return False
    one, other = (evaluate(m, session.graph(system), compute_stress=True) for m in (session.reference_backend.model, twin.model))  # type: ignore[attr-defined]
    return not all(torch.allclose(other[n], one[n], rtol=1e-7, atol=1e-7) for n in ("energy", "forces", "stress"))
