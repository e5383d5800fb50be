"""Mean square displacement and what diffuses: all time origins, centre of mass at rest, fit window stated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from mpcheck.dynamics.observables.motion import centre_of_mass
from mpcheck.dynamics.trajectory import Booleans, Floats, Trajectory

WINDOW = (0.1, 0.5)
"""Fractions of a part's length between which the line is laid: later lags have too few origins, earlier ones are vibrations."""
EVEN = 1e-3


@dataclass(frozen=True)
class Diffusion:
    """Einstein's relation: the slope of the mean square displacement over six.

    Attributes:
        coefficient, error: Å²/ps (1 Å²/ps = 10⁻⁴ cm²/s), and the standard error between parts of the run.
        low_ps, high_ps: lags between which the line was laid.
        parts: of the run that were evaluated apart.
    """

    coefficient: float
    error: float
    low_ps: float
    high_ps: float
    parts: int


def displacements(positions: Floats) -> Floats:
    """[frames] Å²: mean square displacement by lag, over all origins and atoms of positions [frames, atoms, 3] evenly spaced in time.

    By Fourier transforms (Kneller et al. 1995, doi:10.1016/0010-4655(95)00048-K): |r(t+τ)|² + |r(t)|² sums less twice the autocorrelation.
    """
    frames = len(positions)
    moved = positions - positions.mean(axis=0)  # where an atom is has no part in how far it goes, and would only cost digits
    flat = moved.reshape(frames, -1)
    size = fft.next_fast_len(2 * frames, real=True)
    power = np.abs(fft.rfft(flat, size, axis=0)) ** 2
    correlation = fft.irfft(power.sum(axis=1), size)[:frames]
    squares = (flat**2).sum(axis=1)
    sums = np.concatenate([[0.0], np.cumsum(squares)])
    lags = np.arange(frames)
    both = sums[frames - lags] + (sums[frames] - sums[lags])
    result = (both - 2.0 * correlation) / (frames - lags) / positions.shape[1]
    result[0] = 0.0
    return np.asarray(result, dtype=np.float64)


def msd(trajectory: Trajectory, members: Booleans | None = None) -> tuple[Floats, Floats]:
    """Lags [frames] ps and mean square displacements [frames] Å², with the motion of the system's centre of mass taken out.

    Args:
        members: [atoms], which of them; None for all.

    Raises:
        ValueError: frames that are not evenly spaced.
    """
    gaps = np.diff(trajectory.time)
    if len(gaps) == 0 or float(np.ptp(gaps)) > EVEN * float(gaps.mean()):
        raise ValueError("frames are not evenly spaced in time")
    moved = trajectory.positions - centre_of_mass(trajectory)[:, None]
    return trajectory.time - trajectory.time[0], displacements(moved if members is None else moved[:, members])


def diffusion(trajectory: Trajectory, members: Booleans | None = None, parts: int = 4, window: tuple[float, float] = WINDOW) -> Diffusion:
    """Diffusion coefficient with its error between parts of the run, each with lags of its own within the window.

    Args:
        window: fractions of a part's length.

    Raises:
        ValueError: too few frames for a line in each part, or a window that is none.
    """
    if not 0 <= window[0] < window[1] <= 1 or parts < 2:
        raise ValueError("the window must be two growing fractions of a part, of which there are two at least")
    lags, _ = msd(trajectory)  # refuses uneven frames
    length = trajectory.frames // parts
    first, last = int(np.ceil(window[0] * length)), int(np.floor(window[1] * length))
    if last - first < 2:
        raise ValueError(f"{trajectory.frames} frames are too few for {parts} parts with a line each")
    moved = trajectory.positions - centre_of_mass(trajectory)[:, None]
    chosen = moved if members is None else moved[:, members]
    at = lags[first : last + 1]
    slopes = [np.polyfit(at, displacements(chosen[part * length : (part + 1) * length])[first : last + 1], 1)[0] / 6.0 for part in range(parts)]
    return Diffusion(float(np.mean(slopes)), float(np.std(slopes, ddof=1) / np.sqrt(parts)), float(at[0]), float(at[-1]), parts)
