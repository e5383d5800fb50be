"""Which structure of a system is taken, and the noise of a whole model."""

from __future__ import annotations

import torch
from ase import Atoms

from mpcheck.adapters.backends.casting import replaced, to_dtype
from mpcheck.checks.physics import structure as physics_model
from mpcheck.reference.whole_noise import ROUNDOFF
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM


def test_whole_models_noise_foretells_float32(session: Session) -> None:
    """The same model on the same rounded inputs and parameters: float32's error lies below float32's scale, and not far below
    (0.28 measured: torch adds up matrix products in blocks, the scale takes them one by one).
    """
    backend, graph = session.reference_backend, session.graph(SYSTEM)
    scale = physics_model.measure_noise(backend.model, graph, 7)["forces"] / ROUNDOFF * 2.0**-24

    def once(t: torch.Tensor) -> torch.Tensor:
        return t.to(torch.float32).to(torch.float64) if t.is_floating_point() else t

    rounded = {k: once(v) for k, v in graph.items()}
    with replaced(backend.model, once):
        exact = physics_model.evaluate(backend.model, rounded)["forces"]
    low = {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in rounded.items()}
    with replaced(backend.model, to_dtype(torch.float32)):
        got = physics_model.evaluate(backend.model, low)["forces"].double()
    ratio = physics_model.rms(got - exact) / physics_model.rms(scale)
    assert 0.1 < ratio < 1.0


def test_choice_of_a_structure() -> None:
    water, carbon, big = Atoms("H2O", [[0, 0, 0], [1, 0, 0], [0, 1, 0]]), Atoms("C2", [[0, 0, 0], [1, 0, 0]]), Atoms("H" * 600)
    assert physics_model.choose_frame([carbon, water, big]) is water
    assert "two atoms" in str(physics_model.choose_frame([Atoms("H")]))
    assert "600 atoms" in str(physics_model.choose_frame([big]))


def test_a_difference_without_a_scale_is_judged_by_a_roundoff_of_the_value_and_nan_by_nothing() -> None:
    value, nothing = torch.full((9,), 1.5, dtype=torch.float64), torch.zeros(9, dtype=torch.float64)
    assert physics_model.difference_ratio(value, value, nothing) == 0.0
    assert physics_model.difference_ratio(value + 2.0**-53, value, nothing) <= 1.0
    assert physics_model.difference_ratio(value + 2.0**-40, value, nothing) > 1e3
    assert not physics_model.difference_ratio(value * float("nan"), value, nothing) <= 1.0
    assert physics_model.difference_ratio(value, nothing, nothing) == float("inf")


def test_neighbours_of_the_format_are_not_told_apart() -> None:
    """An energy of three atoms is rounded three times, by much less than a step of the format: 5,000 eV lie 9e-13 eV from the next number."""
    energy = torch.tensor([-5000.0], dtype=torch.float64)
    scale = torch.full_like(energy, 1e-14)
    above, below = (torch.nextafter(energy, torch.full_like(energy, to)) for to in (0.0, -1e9))
    assert physics_model.difference_ratio(above, energy, scale) == physics_model.difference_ratio(energy, below, scale) == 0.0
    assert physics_model.difference_ratio(above, below, scale) > 100.0
    assert physics_model.difference_ratio(torch.full_like(energy, float("inf")), energy, scale) == float("inf")
