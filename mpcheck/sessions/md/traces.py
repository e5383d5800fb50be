"""What is drawn of policies, and how far their traces are from float64's, as records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt_unless_refused
from mpcheck.dynamics.compared import displaced
from mpcheck.dynamics.observables.bulk import density
from mpcheck.dynamics.observables.structure import pair_distances
from mpcheck.dynamics.protocols.outcome import trajectory_of
from mpcheck.dynamics.protocols.protocol import get_protocol
from mpcheck.dynamics.protocols.running import Run
from mpcheck.dynamics.trajectory import Floats, Trajectory
from mpcheck.formats import F64
from mpcheck.records.dynamics_figures import DynamicsTrace
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.md.runs import Runs, refused

POINTS = 150
"""Of a trace: a picture has no more pixels."""
REACH, BINS = 6.0, 60
"""Å, and bins, of a radial distribution function; half the shortest width of a cell, where that is less."""


def traces(work: Any, runs: Runs, key: Any, planned: Planned) -> list[Record]:
    """Records of every policy in a protocol.

    Raises:
        UnsupportedRunError: float64's runs cannot be made here. BaseException: whatever they raise.
    """
    protocol = get_protocol(key.protocol)
    exact = [runs.run(run) for run in work.keys(key.protocol, F64, REFERENCE_BACKEND)]
    records = []
    for policy, backend in work.arms:
        about = {**planned.about, "subject": Path(policy).stem, "backend": backend}
        made = attempt_unless_refused(lambda p=policy, b=backend: [runs.run(k) for k in work.keys(key.protocol, p, b)])  # type: ignore[misc]
        if isinstance(made, Raised):
            records.append(refused(about, made))
            continue
        pairs = [(one, other) for one, other in zip(made, exact, strict=True) if one.finished and other.finished]
        if not pairs:
            records.append(Record(**about, verdict="inconclusive", reason="no seed's run came to its end on both sides: see md-run"))
            continue
        trajectories = [trajectory_of(run, runs.template, protocol) for run, _ in pairs]
        detail = DynamicsTrace(**_deviations(pairs, len(runs.template)), **_drawn(pairs[0][0], trajectories))
        records.append(Record(**about, verdict="pass", detail=detail))
    return records


def _deviations(pairs: list[tuple[Run, Run]], atoms: int) -> dict[str, Any]:
    """Of traces from the same start: thesis, Table 4.3."""
    energy = np.concatenate([(one.series["potential"] - other.series["potential"]) / atoms * 1e3 for one, other in pairs])
    hot = np.concatenate([one.series["temperature"] - other.series["temperature"] for one, other in pairs])
    force = max(float(one.series["largest_force"].max()) for one, _ in pairs) / max(float(o.series["largest_force"].max()) for _, o in pairs)
    return {
        "potential_rmse_meV_per_atom": float(np.sqrt((energy**2).mean())), "potential_bias_meV_per_atom": float(energy.mean()),
        "temperature_rmse_K": float(np.sqrt((hot**2).mean())), "temperature_bias_K": float(hot.mean()),
        "temperature_largest_K": float(np.abs(hot).max()), "force_ratio": force,
    }  # fmt: skip


def _drawn(run: Run, trajectories: list[Trajectory]) -> dict[str, Any]:
    first, series = trajectories[0], run.series
    place = np.unique(np.linspace(0, len(series["step"]) - 1, POINTS).astype(int))
    assert first.series is not None, "runs have scalars"
    drawn: dict[str, Any] = {
        "time_ps": _listed(first.series.time[place]), "temperature_K": _listed(series["temperature"][place]),
        "potential_meV_per_atom": _listed(series["potential"][place] / first.atoms * 1e3),
    }  # fmt: skip
    if np.isfinite(series["conserved"]).all():
        drawn["conserved_meV_per_atom"] = _listed((series["conserved"][place] - series["conserved"][0]) / first.atoms * 1e3)
    if np.isfinite(series["volume"]).all() and np.ptp(series["volume"]) > 0:
        drawn["density_g_per_cm3"] = _listed(density(series["volume"], first.masses)[place])
    count = min(t.frames for t in trajectories)
    drawn["lag_ps"] = _listed(first.time[:count])
    drawn["msd_A2"] = _listed(np.mean([displaced(t)[:count] for t in trajectories], axis=0))
    return drawn | _pairs(trajectories)


def _pairs(trajectories: list[Trajectory]) -> dict[str, Any]:
    """The radial distribution function of the most frequent heavy element, or of what there is most of."""
    numbers, counts = np.unique(trajectories[0].numbers, return_counts=True)
    heavy = [(count, number) for number, count in zip(numbers, counts, strict=True) if number > 1 and count > 1]
    number = max(heavy or list(zip(counts, numbers, strict=True)))[1]
    chosen = trajectories[0].numbers == number
    if chosen.sum() < 2 or trajectories[0].frames < 2:
        return {}
    found = [pair_distances(t, REACH, BINS, chosen, chosen, parts=2) for t in trajectories]
    symbol = chemical_symbols[number]
    return {"pairs": f"{symbol}-{symbol}", "r_A": _listed(found[0].r), "rdf": _listed(np.mean([one.g for one in found], axis=0))}


def _listed(values: Floats) -> list[float]:
    """Six digits: what a picture shows."""
    return [float(f"{v:.6g}") for v in values]
