"""Upstream's doors to a model: its ASE calculator, and its export to LAMMPS; against the model itself, on every backend."""

from __future__ import annotations

from mpcheck.checks.physics.property import Property, inspection
from mpcheck.checks.uses import calculator, lammps, types

PROPERTIES: dict[str, Property] = {
    "calculator": Property(calculator.ase_calculator, "own"),
    "calculator-types": Property(types.types, "own"),
    "lammps-export": Property(lammps.export, "own"),
}

INSPECTION = inspection("doors", PROPERTIES)
