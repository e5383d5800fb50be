"""Are the ensembles of policies float64's? One decision for each observable and policy of a protocol, as records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt_unless_refused
from mpcheck.dynamics.compared import COMPARED, DRIFT, DRIFT_UNIT, drift_samples
from mpcheck.dynamics.laws.gradient import evaluated
from mpcheck.dynamics.promised import Promised, promised, unexplained
from mpcheck.dynamics.protocols.outcome import trajectory_of
from mpcheck.dynamics.protocols.protocol import Protocol, get_protocol
from mpcheck.dynamics.protocols.running import Run
from mpcheck.dynamics.statistics.decisions import Decision, Row, decide
from mpcheck.dynamics.statistics.equivalence import Comparison, differences, paired
from mpcheck.dynamics.trajectory import Floats, Trajectory
from mpcheck.formats import F64
from mpcheck.records.dynamics_figures import DynamicsDifference
from mpcheck.records.record import Planned, Record
from mpcheck.records.typed_figures import finite
from mpcheck.records.verdicts import Verdict
from mpcheck.sessions.md.runs import Runs, refused

FRAMES = 60
"""Of float64's runs at most, at which a policy's energy is computed, to tell what difference it promises."""


@dataclass(frozen=True)
class Arm:
    """A policy on a backend beside float64, seed by seed: those that came to their end on both sides."""

    policy: str
    backend: str
    own: Sequence[tuple[Run, Trajectory]]
    exact: Sequence[tuple[Run, Trajectory]]

    @property
    def label(self) -> str:
        """For a table."""
        return f"{self.policy} {self.backend}"


def equivalence(work: Any, runs: Runs, key: Any, planned: Planned) -> list[Record]:
    """Records of a protocol: of every policy and observable, and of policies of which none can be had.

    Raises:
        UnsupportedRunError: float64's runs cannot be made here. BaseException: whatever they raise.
    """
    protocol = get_protocol(key.protocol)
    about = planned.about
    exact = [runs.run(run) for run in work.keys(key.protocol, F64, REFERENCE_BACKEND)]
    records, arms = [], []
    for policy, backend in work.arms[1:]:
        own = {**about, "subject": Path(policy).stem, "backend": backend}
        made = attempt_unless_refused(lambda p=policy, b=backend: [runs.run(k) for k in work.keys(key.protocol, p, b)])  # type: ignore[misc]
        if isinstance(made, Raised):
            records.append(refused(own, made))
            continue
        both = [(one, other) for one, other in zip(made, exact, strict=True) if one.finished and other.finished]
        if not both:
            records.append(Record(**own, verdict="inconclusive", reason="no seed's run came to its end on both sides: see md-run"))
            continue
        sides = [[(run, trajectory_of(run, runs.template, protocol)) for run in side] for side in zip(*both, strict=True)]
        arms.append(Arm(policy, backend, sides[0], sides[1]))
    rows = [Row(name, arm.label, unit, one) for arm in arms for name, unit, one in _comparisons(arm, protocol)]
    decided = {(d.policy, d.observable): d for d in decide(rows)}
    for arm in arms:
        if not any(row.policy == arm.label for row in rows):
            own = {**about, "subject": Path(arm.policy).stem, "backend": arm.backend}
            records.append(Record(**own, verdict="inconclusive", reason="no observable has eight samples, or the margin of none is larger than zero"))
        changes = _Changes(runs, arm, protocol)
        for (label, name), decision in decided.items():
            if label == arm.label:
                own = {**about, "subject": Path(arm.policy).stem, "backend": arm.backend, "variant": f"{about['variant']}-{name}"}
                records.append(_record(own, decision, changes.of(name), work.asked.equivalent, Path(arm.policy).stem))
    return records


def _comparisons(arm: Arm, protocol: Protocol) -> list[tuple[str, str, Comparison]]:
    """Observables of a protocol that there are, with their units and what the runs say."""
    found: list[tuple[str, str, Comparison]] = []
    lengths = [float(t.time[-1] - t.time[0]) for _, t in arm.own]
    for name, margin in protocol.margins.items():
        if name == DRIFT:
            samples = [
                drift_samples(one, other, (run.series["conserved"], exact.series["conserved"]))
                for (run, one), (exact, other) in zip(arm.own, arm.exact, strict=True)
            ]
            mean = float(np.mean([own for _, own in samples]))
            found.append((name, DRIFT_UNIT, paired([s for s, _ in samples], mean, margin.of(mean))))
            continue
        known = COMPARED[name]
        ours, theirs = ([known.series(t) for _, t in side] for side in (arm.own, arm.exact))
        if not all(np.isfinite(values).all() and len(values) >= 8 for values in (*ours, *theirs)):
            continue  # no volume, no stress, or too few frames: nothing to compare
        mean = float(np.mean([values.mean() for values in theirs]))
        if (allowed := margin.of(mean)) > 0:
            found.append((name, known.unit, paired(differences(ours, theirs, lengths), mean, allowed)))
    return found


class _Changes:
    """How a policy's energy differs at frames of float64's runs, computed when it is first asked for."""

    def __init__(self, runs: Runs, arm: Arm, protocol: Protocol) -> None:
        self.runs, self.arm, self.protocol = runs, arm, protocol
        self._found: tuple[Floats, list[np.ndarray]] | None = None

    def _energies(self) -> tuple[Floats, list[np.ndarray]]:
        """ΔU [frames] eV, and which frames of each seed."""
        if self._found is None:
            each = max(1, FRAMES // len(self.arm.exact))
            calculator = self.runs.calculator(self.arm.policy, self.arm.backend)
            changes, places = [], []
            for run, _ in self.arm.exact:
                chosen = np.unique(np.linspace(0, len(run.frames["step"]) - 1, each).astype(int))
                places.append(chosen)
                for place in chosen:
                    atoms = self.runs.template.copy()
                    atoms.set_cell(run.frames["cell"][place], scale_atoms=False)
                    changes.append(evaluated(atoms, calculator, run.frames["positions"][place])[0] - float(run.frames["potential"][place]))
            self._found = np.array(changes), places
        return self._found

    def of(self, name: str) -> Promised | None:
        """What difference of an observable is promised; None where it is none of positions."""
        if name == DRIFT:
            return None
        changes = attempt_unless_refused(self._energies)
        if isinstance(changes, Raised):
            return None
        change, places = changes
        known = COMPARED[name]
        if self.protocol.ensemble == "nve" and name != "potential_meV_per_atom":
            return None
        if not known.by_frame and name not in ("potential_meV_per_atom", "pressure_GPa", "density_g_per_cm3", "largest_force_eV_per_A"):
            return None  # momenta know nothing of it
        values = []
        for chosen, (run, trajectory) in zip(places, self.arm.exact, strict=True):
            series = known.series(trajectory)
            at = chosen if known.by_frame else np.searchsorted(run.series["step"], run.frames["step"][chosen])
            values.append(series[np.minimum(at, len(series) - 1)])
        own = change / len(self.runs.template) * 1e3 if name == "potential_meV_per_atom" else None
        length = sum(float(t.time[-1] - t.time[0]) for _, t in self.arm.exact)
        weight = change if self.protocol.ensemble != "nve" else np.zeros_like(change)  # of one energy, no frame is likelier than another
        return promised(np.concatenate(values), weight, self.protocol.temperature_K, own, length)


def _record(about: dict[str, Any], decision: Decision, by: Promised | None, required: Sequence[str], policy: str) -> Record:
    """The verdict: what a policy's static error promises is an answer; what it does not promise, or may not be, is red."""
    figures = {
        "reference": decision.reference, "mean": decision.mean, "difference": decision.difference, "low": decision.low, "high": decision.high,
        "margin": decision.margin, "promised": math.nan if by is None else by.difference, "promised_error": math.nan if by is None else by.error,
        "seeds": float(decision.seeds), "effective": decision.effective, "needed_ps": decision.needed_ps,
    }  # fmt: skip
    told: dict[str, Any] = {name: None if value is None else finite(value) for name, value in figures.items()}
    detail = DynamicsDifference(observable=decision.observable, unit=decision.unit, decision=decision.decision, **told)
    verdict: Verdict = {"equivalent": "pass", "cannot tell": "inconclusive", "different": "pass"}[decision.decision]  # type: ignore[assignment]
    reason = ""
    span = "of unknown error" if decision.low is None or decision.high is None else f"[{decision.low:.3g}, {decision.high:.3g}]"
    said = f"{decision.difference:+.3g} {decision.unit} {span}, margin {decision.margin:.3g}"
    if decision.decision == "cannot tell":
        needed = f"needs about {decision.needed_ps:.3g} ps" if decision.needed_ps is not None else "no reasonable time would tell"
        reason = f"cannot tell ({needed}): {said}"
    elif decision.decision == "different":
        error = 0.0 if decision.low is None or decision.high is None else (decision.high - decision.low) / 2 / float(stats.norm.isf(0.05))
        reason = f"different: {said}"
        if policy in required:
            verdict, reason = "fail", f"{reason}; it must be equivalent"
        elif by is None:  # laws of physics judge what errors on frames say nothing of
            reason += "; no error on frames tells of it"
        elif unexplained(decision.difference, error, by, decision.margin):
            verdict, reason = "fail", f"{reason}; its errors on frames promise {by.difference:+.3g}"
        else:
            reason += "; as its errors on frames promise"
    ratio = abs(decision.difference) / decision.margin
    return Record(**about, verdict=verdict, reason=reason, ratio=finite(ratio), limit=1.0, detail=detail)
