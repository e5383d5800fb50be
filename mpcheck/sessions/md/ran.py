"""One run as a record: whether it came to its end, and what it was like."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from ase import units

from mpcheck.dynamics.observables.bulk import density
from mpcheck.dynamics.observables.diffusion import diffusion, msd
from mpcheck.dynamics.observables.drift import drift
from mpcheck.dynamics.protocols.outcome import trajectory_of
from mpcheck.dynamics.protocols.protocol import get_protocol
from mpcheck.dynamics.protocols.running import Run
from mpcheck.dynamics.trajectory import Floats, Trajectory
from mpcheck.records.dynamics_figures import DynamicsRun
from mpcheck.records.record import Planned, Record
from mpcheck.records.typed_figures import finite
from mpcheck.sessions.md.runs import RunKey, Runs


def ran(runs: Runs, key: RunKey, planned: Planned) -> list[Record]:
    """The record of a run, which is made now where it is not there.

    Raises:
        UnsupportedRunError: it cannot be made here. BaseException: whatever the judged code raises.
    """
    found = runs.run(key)
    figures = figures_of(runs, key, found)
    protocol = get_protocol(key.protocol)
    reason = ""
    if not found.finished:
        reason = f"explodes after {found.step * protocol.timestep_fs:g} fs: {found.ended}"
    seconds = round(found.seconds, 3)
    return [Record(**planned.about, verdict="pass" if found.finished else "fail", reason=reason, detail=figures, seconds=seconds)]


def figures_of(runs: Runs, key: RunKey, run: Run) -> DynamicsRun:
    """Means and standard deviations of what was noted."""
    protocol = get_protocol(key.protocol)
    atoms = runs.template
    timestep = protocol.timestep_fs / (2 if key.kind == "halved" else 1)
    about: dict[str, Any] = {
        "ended": run.ended, "seed": float(key.seed), "steps": float(run.step), "ps": run.step * timestep * 1e-3,
        "steps_per_second": run.step / run.seconds if run.seconds > 0 else None,
    }  # fmt: skip
    if not run.finished:  # what it was like on the way to its end is no mean of anything
        return DynamicsRun(**about)
    trajectory, series = trajectory_of(run, atoms, protocol), run.series
    potential = series["potential"] / len(atoms) * 1e3
    about |= _moments("temperature", "K", series["temperature"]) | _moments("potential", "meV_per_atom", potential)
    about |= _moments("pressure", "GPa", series["pressure"] / units.GPa)
    about |= _moments("density", "g_per_cm3", density(series["volume"], trajectory.masses))
    if np.isfinite(series["conserved"]).all() and len(series["step"]) >= 8:
        found = drift(series["step"] * timestep * 1e-3, series["conserved"], series["kinetic"], len(atoms))
        about |= {"drift_meV_per_atom_ps": found.slope, "drift_over_kinetic": finite(found.relative)}
    about |= {
        "momentum_A_per_ps": float(series["momentum"].max() / trajectory.masses.sum() * units.fs * 1e3),
        "angular_momentum": finite(float(series["angular_momentum"].max())), "largest_force_eV_per_A": float(series["largest_force"].max()),
        "largest_coordinate_A": float(np.abs(run.frames["positions"]).max()), **_moved(trajectory),
    }  # fmt: skip
    return DynamicsRun(**about)


def _moments(name: str, unit: str, values: Floats) -> dict[str, float | None]:
    return {f"{name}_{unit}": finite(float(values.mean())), f"{name}_std_{unit}": finite(float(values.std()))}


def _moved(trajectory: Trajectory) -> dict[str, float | None]:
    """Mean squared displacement from the start, and the diffusion coefficient; nothing of runs that are too short for it."""
    if trajectory.frames < 2:
        return {}
    moved: dict[str, float | None] = {"msd_A2": float(msd(trajectory)[1][-1])}
    with contextlib.suppress(ValueError):
        moved["diffusion_A2_per_ps"] = diffusion(trajectory).coefficient
    return moved
