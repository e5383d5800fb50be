"""Does the volume answer to the pressure with the mass that the barostat's time constant says?

The ensemble is the same whatever the mass, so that no mean shows a wrong one. What does is the motion itself: with ε = ln(V/V0)/3,
W ε'' = 3V(P - P0) + 2K/N, less what the chain takes off (Martyna, Tobias and Klein 1994, Eqs. 2.9 and 2.10), W = 3(N + 1) kT τ².
"""

from __future__ import annotations

import math

import numpy as np
from ase import units

from mpcheck.dynamics.laws.law import Law
from mpcheck.dynamics.trajectory import Floats

SAMPLES = 100
"""From the beginning, where the chains are at rest."""
WITHIN, SIGMAS = 0.25, 4.0
"""Relative error of the mass, and standard errors on top. A factor of three is seen at twenty times this."""


def response(volume: Floats, pressure: Floats, kinetic: Floats, atoms: int, interval_fs: float, target: tuple[float, float, float]) -> Law:
    """Of one run that starts with the volume at rest.

    Args:
        volume: [samples] Å³. pressure: [samples] eV/Å³, of moving atoms. kinetic: [samples] eV. interval_fs: between samples.
        target: temperature K, pressure eV/Å³, time constant fs.
    """
    temperature, wanted, constant = target
    name, unit = "barostat's mass", "of expected"
    if min(len(volume), len(pressure)) < 8 or not np.isfinite(pressure).all():
        return Law(name, "cannot tell", unit, reason="fewer than eight samples, or no pressure")
    count = min(SAMPLES, len(volume))
    strain, step = np.log(volume[:count] / volume[0]) / 3, interval_fs * units.fs
    driven = (3 * volume[:count] * (pressure[:count] - wanted) + 2 * kinetic[:count] / atoms)[1:-1]
    speed = (strain[2:] - strain[:-2]) / (2 * step)
    change = (strain[2:] - 2 * strain[1:-1] + strain[:-2]) / step**2
    expected = 3 * (atoms + 1) * units.kB * temperature * (constant * units.fs) ** 2
    rows = np.stack([driven / expected, speed / (np.abs(speed).max() or 1.0)], axis=1)
    fit, _, rank, _ = np.linalg.lstsq(rows, change, rcond=None)
    if rank < 2 or fit[0] == 0:
        return Law(name, "cannot tell", unit, reason="the volume does not move")
    rest = change - rows @ fit
    spread = float(rest @ rest) / max(1, len(rest) - 2) * np.linalg.inv(rows.T @ rows)[0, 0]
    share, error = 1.0 / float(fit[0]), math.sqrt(max(0.0, float(spread))) / float(fit[0]) ** 2
    wrong = abs(share - 1.0) > WITHIN + SIGMAS * error
    told = f"the volume moves as if the barostat's mass were {share:.3g} ± {error:.1g} times what its time constant says" if wrong else ""
    return Law(name, "broken" if wrong else "holds", unit, share, 1.0, error, reason=told)
