"""How fast policies leave float64's trajectory while that is linear, against what their force errors promise, as records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt_unless_refused
from mpcheck.dynamics.laws.gradient import Noise, noise
from mpcheck.dynamics.protocols.outcome import trajectory_of, triples_of
from mpcheck.dynamics.protocols.protocol import get_protocol
from mpcheck.dynamics.statistics.divergence import Growth, agreement, frequencies, growth, kicks, predicted, separation
from mpcheck.dynamics.trajectory import Floats, Trajectory
from mpcheck.formats import F64
from mpcheck.records.dynamics_figures import DynamicsDivergence
from mpcheck.records.record import Planned, Record
from mpcheck.records.typed_figures import finite
from mpcheck.sessions.md.physics import frames_of
from mpcheck.sessions.md.runs import TWIN, RunKey, Runs, refused

FLOOR = 3.0
"""Times the twin's first separation, below which it is the start that is seen."""
FACTOR = 10.0
"""Between measured and promised. The promise is of the size of kicks and one exponent for all directions: of float32 and 16-bit policies of the
built-in model it is met within a factor of four."""


def divergence(work: Any, runs: Runs, key: Any, planned: Planned) -> list[Record]:
    """Records of every policy of an NVE protocol, first seed.

    Raises:
        UnsupportedRunError: float64's runs cannot be made here. BaseException: whatever they raise.
    """
    protocol = get_protocol(key.protocol)
    run = runs.run(RunKey(key.protocol, F64, REFERENCE_BACKEND, 0))
    other = runs.run(RunKey(key.protocol, F64, REFERENCE_BACKEND, 0, TWIN))
    if not (run.finished and other.finished):
        return [Record(**planned.about, verdict="inconclusive", reason="float64's runs did not come to their end: see md-run")]
    exact, twin = (trajectory_of(r, runs.template, protocol) for r in (run, other))
    triples = triples_of(run, runs.template, protocol)
    apart = separation(exact.positions, twin.positions)
    grown = attempt_unless_refused(lambda: growth(exact.time, apart, FLOOR * float(apart[0])))
    records = []
    for policy, backend in work.arms[1:]:
        about = {**planned.about, "subject": Path(policy).stem, "backend": backend}
        made = attempt_unless_refused(lambda p=policy, b=backend: runs.run(RunKey(key.protocol, p, b, 0)))  # type: ignore[misc]
        if isinstance(made, Raised):
            records.append(refused(about, made))
        elif not made.finished:
            records.append(Record(**about, verdict="inconclusive", reason="its run did not come to its end: see md-run"))
        else:
            own = trajectory_of(made, runs.template, protocol)
            error = noise(frames_of(runs.template, run), runs.calculator(policy, backend), runs.calculator(F64, REFERENCE_BACKEND), runs.session.seed)
            records.append(_record(about, exact, own, triples, _Twin(apart, grown), error))
    return records


@dataclass(frozen=True)
class _Twin:
    """How float64 leaves itself: distances [frames] Å, and their growth, or why there is none."""

    apart: Floats
    grown: Growth | Raised


def _record(about: dict[str, Any], exact: Trajectory, own: Trajectory, triples: Trajectory | None, twin: _Twin, error: Noise) -> Record:
    """Of one policy."""
    time, apart = exact.time, separation(exact.positions, own.positions)
    figures: dict[str, Any] = {
        "force_meV_per_A": error.whole * 1e3, "window_fs": float(time[-1]) * 1e3, "rms_A": float(apart[-1]), "time_fs": (time * 1e3).tolist(),
        "distance_A": apart.tolist(),
    }  # fmt: skip
    if error.whole == 0 and not apart.any():
        return Record(**about, verdict="pass", detail=DynamicsDivergence(**figures))
    if isinstance(twin.grown, Raised) or triples is None:
        why = "no frames at consecutive steps" if not isinstance(twin.grown, Raised) else str(twin.grown.error)
        return Record(
            **about, verdict="inconclusive", reason=f"the largest Lyapunov exponent cannot be told: {why}", detail=DynamicsDivergence(**figures)
        )
    kick = kicks(error.whole, exact.masses, frequencies(triples), exact.timestep_fs, smooth=error.whole > 2 * error.force)
    grown = twin.grown
    expected = predicted(time, kick, time, twin.apart, grown)
    figures |= {
        "lyapunov_per_ps": grown.exponent, "lyapunov_low_per_ps": grown.exponent - 2 * grown.error, "predicted_A": finite(float(expected[-1])),
        "lyapunov_high_per_ps": grown.exponent + 2 * grown.error, "predicted_distance_A": [float(v) for v in np.minimum(expected, 1e3)],
    }  # fmt: skip
    detail = DynamicsDivergence(**figures)
    found = attempt_unless_refused(lambda: agreement(time, apart, expected, grown, FACTOR))
    if isinstance(found, Raised):
        return Record(**about, verdict="inconclusive", reason=str(found.error), detail=detail)
    if found.outcome == "cannot tell":
        return Record(**about, verdict="inconclusive", ratio=found.ratio, limit=FACTOR, reason="too few frames to tell", detail=detail)
    if found.outcome != "faster":  # that it stays nearer than was promised is no fault
        return Record(**about, verdict="pass", ratio=found.ratio, limit=FACTOR, detail=detail)
    reason = f"leaves float64's trajectory {found.ratio:.3g} times as fast as its force error of {error.whole * 1e3:.3g} meV/Å promises"
    return Record(**about, verdict="fail", reason=reason, ratio=found.ratio, limit=FACTOR, detail=detail)
