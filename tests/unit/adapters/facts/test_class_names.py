"""Traits that an entry about upstream may name are names of modules, and of nothing else."""

from __future__ import annotations

from mpcheck.adapters.facts.class_names import upstream_classes


def test_modules_of_every_library_are_known() -> None:
    names = upstream_classes()
    assert {"ScaleShiftMACE", "BesselBasis", "SymmetricContraction", "SphericalHarmonics", "FullyConnectedNet", "Sequential"} <= names
    assert "Irreps" not in names and "scatter_sum" not in names, "neither other classes nor functions"
