"""Upstream's doors to a model: its ASE calculator and its exports; against the model itself, on every backend."""

from __future__ import annotations

from mpcheck.checks.physics.property import Property, inspection
from mpcheck.checks.uses import calculator, compiled, derived, lammps, mliap, selected, torchsim, types

PROPERTIES: dict[str, Property] = {
    "calculator": Property(calculator.ase_calculator, "own"),
    "calculator-types": Property(types.types, "own"),
    "calculator-hessian": Property(derived.derived, "own"),
    "calculator-compiled": Property(compiled.compiled, "own"),
    "lammps-export": Property(lammps.export, "own"),
    "lammps-mliap": Property(mliap.mliap, "own"),
    "select-head": Property(selected.select_head, "own"),
    "torchsim": Property(torchsim.torchsim, "own"),
}

INSPECTION = inspection("doors", PROPERTIES)
