"""What all runs of a policy in a protocol say of physics, as records: one for each law."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ase import Atoms, units

from mpcheck._names import REFERENCE_BACKEND
from mpcheck.dynamics.laws import barostat, conservation, gradient, motion, temperature
from mpcheck.dynamics.laws.law import Law
from mpcheck.dynamics.protocols.integrators import degrees_of_freedom
from mpcheck.dynamics.protocols.outcome import trajectory_of, triples_of
from mpcheck.dynamics.protocols.protocol import Protocol, get_protocol
from mpcheck.dynamics.protocols.running import Run
from mpcheck.formats import F64
from mpcheck.records.dynamics_figures import DynamicsLaw
from mpcheck.records.record import Planned, Record
from mpcheck.records.typed_figures import finite
from mpcheck.records.verdicts import Verdict
from mpcheck.sessions.md.runs import HALVED, RunKey, Runs

PLACES = 4
"""Frames at which forces are looked at: enough for a mean over some hundred components."""
VERDICTS: dict[str, Verdict] = {"holds": "pass", "broken": "fail", "cannot tell": "inconclusive"}


def physics(work: Any, runs: Runs, key: Any, planned: Planned) -> list[Record]:
    """Records of the laws that a protocol's runs can show.

    Raises:
        UnsupportedRunError: they cannot be made here. BaseException: whatever the judged code raises.
    """
    protocol = get_protocol(key.protocol)
    every = {run.seed: runs.run(run) for run in work.keys(key.protocol, key.policy, key.backend)}
    whole = [run for run in every.values() if run.finished]
    about = planned.about
    if not whole:
        return [Record(**about, verdict="inconclusive", reason="no run came to its end: see md-run")]
    laws = [*_laws(runs, key, protocol, whole)]
    return [_record(about, law) for law in laws]


def _record(about: dict[str, Any], law: Law) -> Record:
    figures = {"measured": law.measured, "expected": law.expected, "error": law.error, "sigmas": law.sigmas, "p_value": law.p_value}
    told: dict[str, Any] = {name: finite(value) for name, value in figures.items()}
    detail = DynamicsLaw(law=law.name, unit=law.unit, **told)
    variant = f"{about['variant']}-{law.name.replace(' ', '-')}"
    return Record(**{**about, "variant": variant}, verdict=VERDICTS[law.state], reason=law.reason, detail=detail)


def _laws(runs: Runs, key: Any, protocol: Protocol, whole: Sequence[Run]) -> Iterator[Law]:
    calculator, exact = runs.calculator(key.policy, key.backend), runs.calculator(F64, REFERENCE_BACKEND)
    places = frames_of(runs.template, whole[0])
    rounding = gradient.noise(places, calculator, exact, runs.session.seed)
    if protocol.ensemble == "nve":
        yield from _constant_energy(runs, key, protocol, whole, rounding.whole)
    else:
        yield from _thermostatted(runs, protocol, whole)
    if protocol.ensemble == "npt":
        yield _barostat(runs, protocol, whole[0])
    yield gradient.gradient(places, calculator, rounding, runs.session.seed)
    yield gradient.resolved(places[-1], calculator, rounding)


def frames_of(template: Atoms, run: Run, count: int = PLACES) -> list[Atoms]:
    """Structures of a run, evenly from its first to its last frame, unwrapped as it left them."""
    found = []
    for place in np.unique(np.linspace(0, len(run.frames["step"]) - 1, count).astype(int)):
        atoms = template.copy()
        atoms.set_cell(run.frames["cell"][place], scale_atoms=False)
        atoms.positions = run.frames["positions"][place]
        found.append(atoms)
    return found


def _constant_energy(runs: Runs, key: Any, protocol: Protocol, whole: Sequence[Run], error: float) -> Iterator[Law]:
    if (key.policy, key.backend) == (F64, REFERENCE_BACKEND):  # of the protocol, not of the format
        yield conservation.fluctuation(whole[0].series["conserved"], whole[0].series["kinetic"])
        halved = runs.run(RunKey(key.protocol, F64, REFERENCE_BACKEND, 0, HALVED))
        if halved.finished:
            yield conservation.order(whole[0].series["conserved"], halved.series["conserved"], protocol.timestep_fs)
    trajectory = trajectory_of(whole[0], runs.template, protocol)
    yield conservation.momentum(trajectory, error)
    if (turning := conservation.angular_momentum(trajectory, error)) is not None:
        yield turning
    if (triples := triples_of(whole[0], runs.template, protocol)) is not None:
        yield from motion.increments(triples)


def _thermostatted(runs: Runs, protocol: Protocol, whole: Sequence[Run]) -> Iterator[Law]:
    lengths = [run.step * protocol.timestep_fs * 1e-3 for run in whole]
    target, freedom = protocol.temperature_K, degrees_of_freedom(runs.template, protocol)
    yield temperature.temperature([run.series["temperature"] for run in whole], lengths, target, freedom)
    count = len(runs.template)
    scale = (3 * count - 3) / freedom if count > 1 else 1.0  # a chain of NPT counts three degrees of freedom more
    trajectories = [trajectory_of(run, runs.template, protocol) for run in whole]
    yield from temperature.equipartition(trajectories, target, scale)
    yield temperature.distribution([run.series["kinetic"] for run in whole], target, freedom)


def _barostat(runs: Runs, protocol: Protocol, run: Run) -> Law:
    series = run.series
    target = (protocol.temperature_K, (protocol.pressure_bar or 0.0) * units.bar, protocol.barostat_fs or 0.0)
    return barostat.response(series["volume"], series["pressure"], series["kinetic"], len(runs.template), protocol.sample_fs, target)
