"""How fast a trajectory leaves the float64 one from the same start, and how fast its forces' noise says that it should.

Two trajectories of one chaotic system part as exp(λt), λ the largest Lyapunov exponent (Benettin et al. 1976, doi:10.1103/PhysRevA.14.2338),
whatever small thing has set them apart. A float64 twin that was moved by 1e-10 Å gives λ and the response to a displacement. Noise of
force σ_F per component kicks each atom by √3 σ_F dt/m in every step; in a vibration of frequency ω that is a displacement of δv/ω, which
from then on grows as the twin's did. Kicks of different steps add in quadrature. A policy that parts much faster than this has an error
that its force noise does not show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase import units

from mpcheck.dynamics.statistics.correlated import inefficiency
from mpcheck.dynamics.trajectory import Floats, Trajectory

CEILING = 0.01
"""Å: separations above this are no longer small against the distances over which forces change."""
LEAST = 8
Outcome = Literal["as predicted", "faster", "slower", "cannot tell"]


@dataclass(frozen=True)
class Growth:
    """Exponential growth of a separation.

    Attributes:
        exponent, error: 1/ps, and its standard error.
        amplitude: Å, of the exponential at time zero.
        low_ps, high_ps: between which it was fitted. samples: in there.
    """

    exponent: float
    error: float
    amplitude: float
    low_ps: float
    high_ps: float
    samples: int


def separation(one: Floats, other: Floats) -> Floats:
    """[frames] Å, root mean square over atoms of distances between positions [frames, atoms, 3] of two trajectories, frame by frame.

    Raises:
        ValueError: other shapes.
    """
    if one.shape != other.shape:
        raise ValueError("two trajectories are compared frame by frame; these have other frames or atoms")
    return np.asarray(np.sqrt(((one - other) ** 2).sum(axis=2).mean(axis=1)), dtype=np.float64)


def growth(time: Floats, apart: Floats, floor: float, ceiling: float = CEILING) -> Growth:
    """Least squares on the logarithm, from where the separation leaves ``floor`` for good to where it first exceeds ``ceiling`` Å.

    The error is widened by the statistical inefficiency of the residuals: separations of neighbouring frames tell nearly the same.

    Args:
        floor: Å; below it transients of the perturbation, or rounding, are what is seen.

    Raises:
        ValueError: fewer than eight frames in between.
    """
    last = _small(apart, ceiling)
    below = np.flatnonzero(apart[:last] <= floor)
    first = int(below[-1]) + 1 if len(below) else 0
    if last - first < LEAST:
        raise ValueError(f"{max(0, last - first)} frames lie between {floor:.1e} and {ceiling:.1e} Å; {LEAST} are needed")
    at, logs = time[first:last], np.log(apart[first:last])
    slope, intercept = (float(value) for value in np.polyfit(at, logs, 1))
    rest = logs - (intercept + slope * at)
    g = inefficiency(rest)
    freedom = max(1.0, len(at) / g - 2.0)
    error = math.sqrt(float((rest**2).mean()) / float(((at - at.mean()) ** 2).mean()) / freedom)
    return Growth(slope, error, math.exp(intercept), float(at[0]), float(at[-1]), len(at))


def _small(apart: Floats, ceiling: float) -> int:
    """How many frames there are before the separation first exceeds the ceiling.

    Raises:
        ValueError: a separation that is not finite.
    """
    if not bool(np.isfinite(apart).all()):
        raise ValueError("a separation is not finite: one of the trajectories has exploded")
    beyond = np.flatnonzero(apart > ceiling)
    return int(beyond[0]) if len(beyond) else len(apart)


def frequencies(trajectory: Trajectory) -> Floats:
    """[atoms] radians per ps: Einstein frequencies √(<a²>/<v²>), by velocities of frames at consecutive steps.

    Raises:
        ValueError: no two frames at consecutive steps, or an atom that does not move.
    """
    step = trajectory.timestep_fs * 1e-3
    pairs = np.flatnonzero(np.abs(np.diff(trajectory.time) / step - 1.0) < 1e-3)
    if len(pairs) == 0:
        raise ValueError("no two frames at consecutive steps; store some every step")
    velocities = trajectory.velocities
    changes = (velocities[pairs + 1] - velocities[pairs]) ** 2
    squares = (velocities[pairs] ** 2).sum(axis=(0, 2))
    if not bool((squares > 0).all()):
        raise ValueError("an atom does not move")
    return np.asarray(np.sqrt(changes.sum(axis=(0, 2)) / squares) / step, dtype=np.float64)


@dataclass(frozen=True)
class Kicks:
    """What force noise does in one step.

    Attributes:
        speed: Å/ps, root mean square over atoms of δv. displacement: Å, of δv/ω.
        step_ps: between kicks.
        coherent: steps over which the noise keeps its sign: 1 for rounding, more for an error that is a smooth function of positions.
    """

    speed: float
    displacement: float
    step_ps: float
    coherent: float = 1.0


def kicks(noise: float, masses: Floats, own: Floats, timestep_fs: float, smooth: bool = False) -> Kicks:
    """Kicks by force noise.

    Args:
        noise: eV/Å, root mean square per component. masses: [atoms] amu. own: [atoms] radians per ps, see :func:`frequencies`.
        smooth: the error is a smooth function of positions, as that of rounded weights, and keeps its sign for 1/ω.
    """
    speed = math.sqrt(3.0) * noise * timestep_fs * units.fs / masses * units.fs * 1e3  # Å/ps
    fast, far = (float(np.sqrt(np.mean(values**2))) for values in (speed, speed / own))
    step = timestep_fs * 1e-3
    return Kicks(fast, far, step, max(1.0, far / (fast * step)) if smooth else 1.0)


def predicted(time: Floats, kick: Kicks, twin_time: Floats, twin_apart: Floats, twin: Growth) -> Floats:
    """[frames] Å, the separation that kicks in every step up to then have grown to.

    A kick of age τ has moved an atom by ``min(δv τ, δv/ω)``, times what the twin's separation has grown to at that age: as measured while that was
    small, then by its exponent.

    Args:
        time: [frames] ps since the common start.
        twin_time, twin_apart: [frames] ps and Å, of the twin, the first of them its perturbation. twin: their growth.

    Raises:
        ValueError: a twin that is not apart at its start.
    """
    if twin_time[0] != 0.0 or not bool((twin_apart > 0).all()):
        raise ValueError("the twin must be apart from its start on, at time zero")
    steps = np.rint(time / kick.step_ps).astype(np.int64)
    ages = np.arange(1, max(1, int(steps.max())) + 1) * kick.step_ps
    logs = np.interp(ages, twin_time, np.log(twin_apart)) - math.log(float(twin_apart[0]))
    late = ages > twin.high_ps
    logs[late] = math.log(twin.amplitude / float(twin_apart[0])) + twin.exponent * ages[late]
    response = np.minimum(kick.speed * ages, kick.displacement) * np.exp(np.minimum(logs, 300.0))
    grown = kick.coherent * np.concatenate([[0.0], np.cumsum(response**2)])
    return np.asarray(np.sqrt(grown[steps]), dtype=np.float64)


@dataclass(frozen=True)
class Agreement:
    """Measured against predicted separation.

    Attributes:
        ratio: geometric mean of measured over predicted while the separation is small.
        uncertainty: standard deviation of its logarithm, of the exponent and of the scatter.
        factor: that was stated.
        outcome: *faster* or *slower* where the ratio lies outside the factor even by twice its uncertainty; *as predicted* where it lies inside and
            twice the uncertainty is less than the factor, so that it could have been told; otherwise *cannot tell*.
        samples: frames compared.
    """

    ratio: float
    uncertainty: float
    factor: float
    outcome: Outcome
    samples: int


def agreement(time: Floats, measured: Floats, expected: Floats, twin: Growth, factor: float, ceiling: float = CEILING) -> Agreement:
    """Compare two separations [frames] Å within a stated factor.

    Raises:
        ValueError: no frame with a separation between zero and the ceiling.
    """
    last = _small(measured, ceiling)
    kept = np.flatnonzero((measured[:last] > 0) & (expected[:last] > 0))
    if len(kept) == 0:
        raise ValueError("no frame shows a separation that is small and not zero")
    logs = np.log(measured[kept] / expected[kept])
    scatter = float(logs.var(ddof=1)) * inefficiency(logs) / len(logs) if len(logs) > 1 else 0.0
    uncertainty = math.sqrt(scatter + (twin.error * float(time[kept].mean())) ** 2)
    mean = float(logs.mean())
    most = math.log(factor)
    outcome: Outcome = "cannot tell"
    if abs(mean) - 2.0 * uncertainty > most:
        outcome = "faster" if mean > 0 else "slower"
    elif abs(mean) <= most and 2.0 * uncertainty <= most:
        outcome = "as predicted"
    return Agreement(math.exp(mean), uncertainty, factor, outcome, len(kept))
