"""What a whole model gives by flag: Hessian, parts by atom and edge, strain, multipoles; in float64, on every backend."""

from __future__ import annotations

from mpcheck.checks.physics.property import Property, inspection
from mpcheck.checks.uses import aperiodic, flags, hessian, multipoles, shares

PROPERTIES: dict[str, Property] = {
    "hessian": Property(hessian.hessian, "own"),
    "flags": Property(flags.flags, "own"),
    "per-atom": Property(shares.per_atom, "own"),
    "parts": Property(shares.parts, "own"),
    "displacement": Property(shares.displacement, "own"),
    "multipoles": Property(multipoles.multipoles, "own"),
    "aperiodic-stress": Property(aperiodic.aperiodic_stress, "own"),
}

INSPECTION = inspection("outputs", PROPERTIES)
