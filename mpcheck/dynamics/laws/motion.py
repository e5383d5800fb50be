"""Do positions go where momenta say, by the masses of the elements, and are they held in float64?"""

from __future__ import annotations

from mpcheck.dynamics.laws.law import Law
from mpcheck.dynamics.observables.steps import steps
from mpcheck.dynamics.trajectory import Trajectory

RESIDUAL = 1e-3
"""Of the increments' size. Velocity Verlet has the increments of two steps exactly, to rounding: 1e-13 of float64 at the origin, 1e-9 at 10,000 Å."""
NARROW = 0.5
"""Share of coordinates that are numbers of float32: by chance 2^-29."""


def increments(triples: Trajectory) -> list[Law]:
    """Of three frames at consecutive steps of NVE: r(t + dt) - r(t - dt) = 2 dt p / m, with the elements' own masses.

    Raises:
        ValueError: nothing moves.
    """
    found = steps(triples)
    wrong = not found.residual <= RESIDUAL
    told = ""
    if wrong:
        still = f"; {found.still:.0%} of coordinates do not move though they have momentum" if found.still > 0.01 else ""
        told = f"positions move by {found.residual:.2g} of their increments otherwise than momenta and masses say{still}"
    laws = [Law("increments", "broken" if wrong else "holds", "relative", found.residual, 0.0, reason=told)]
    narrow = found.narrow > NARROW
    held = f"{found.narrow:.0%} of coordinates are numbers of float32: positions are not held in float64" if narrow else ""
    laws.append(Law("positions in float64", "broken" if narrow else "holds", "share of float32", found.narrow, 0.0, reason=held))
    return laws
