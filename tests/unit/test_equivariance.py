"""The group, its action, and the noise of both sides, apart from any model; then what one check costs."""

from __future__ import annotations

import math

import pytest
import torch

from mpcheck.adapters import blocks
from mpcheck.adapters.facts.rotation import Turn
from mpcheck.adapters.slots import Slot
from mpcheck.checks.symmetry import equivariance, invariance
from mpcheck.checks.symmetry.action import Action, Structure, perturb_geometry
from mpcheck.checks.symmetry.deviation import deviations
from mpcheck.checks.symmetry.group import Shift, Shuffle
from mpcheck.checks.symmetry.sampling import elements, simplest
from mpcheck.formats import FORMATS
from mpcheck.judge.context import Counts, Key
from mpcheck.judge.scale import Scale
from mpcheck.judge.tolerances import RatioLimits, limits_for, load_tolerances
from mpcheck.sessions import inspections
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM

LIKE = torch.zeros(1)
Q, P = (0.3, -0.5, 0.7, 0.2), (0.9, 0.1, 0.4, -0.3)


def test_the_spectrum_is_fixed_and_holds_every_kind() -> None:
    found = elements(0, 6, 6, 2)
    elements.cache_clear()
    assert found == elements(0, 6, 6, 2)
    assert found != elements(1, 6, 6, 2)
    assert {e.kind for e in found} == {"rotation", "inversion", "rotoinversion", "permutation", "translation", "lattice"}
    angles = [2 * math.acos(min(1.0, abs(e.quaternion[0]) / math.hypot(*e.quaternion))) for e in found if isinstance(e, Turn)]
    assert min(angles) == 0.0 and any(0 < a < 0.05 for a in angles) and any(abs(a - math.pi) < 1e-12 for a in angles)


def test_uniform_rotations_are_uniform() -> None:
    """The mean of D^1 over uniform rotations vanishes; of 400, within five standard errors of 1/sqrt(3 * 400)."""
    from mpcheck.checks.symmetry.sampling import _uniform

    mean = torch.stack([Turn(_uniform(n)).matrix(1, 1, LIKE) for n in range(400)]).mean(0)
    assert float(mean.abs().max()) < 5 / math.sqrt(1200)


def test_failures_shrink_to_the_simplest_element() -> None:
    every = elements(0, 6, 6, 2)
    turn = simplest(every[10], lambda e: isinstance(e, Turn) and any(e.quaternion[1:]))
    assert isinstance(turn, Turn) and turn.quaternion[0] in (0.0, 1.0), "a quarter or half turn"
    shuffle = simplest(Shuffle(True, True, seed=7), lambda e: isinstance(e, Shuffle) and e.atoms)
    assert isinstance(shuffle, Shuffle) and shuffle.swap is not None
    shift = simplest(Shift((33.0, -7.0, 80.0)), lambda e: isinstance(e, Shift) and abs(e.vector[2]) > 3, effort=500)
    assert isinstance(shift, Shift) and [abs(v) for v in shift.vector] == [0.0, 0.0, 4.0]
    assert simplest(Turn(Q), lambda e: e == Turn(Q)) == Turn(Q), "nothing simpler fails"


def test_shrinking_ends_when_its_effort_is_spent() -> None:
    asked = []
    simplest(Shift((33.0, -7.0, 80.0)), lambda e: bool(asked.append(e)) or abs(e.vector[2]) > 3, effort=5)  # type: ignore[union-attr, func-returns-value]
    assert len(asked) <= 5


@pytest.fixture
def edges() -> tuple[Action, dict[str, torch.Tensor]]:
    """Edge vectors of seven atoms in a sheared cell, eleven edges."""
    generator = torch.Generator().manual_seed(3)
    cell = torch.tensor([[5.0, 0.0, 0.0], [1.0, 4.0, 0.0], [0.0, 0.5, 6.0]], dtype=torch.float64)
    index = torch.randint(0, 7, (2, 11), generator=generator)
    shifts = torch.randint(-1, 2, (11, 3), generator=generator).double() @ cell
    tensors = {"positions": torch.rand(7, 3, dtype=torch.float64, generator=generator) * 4, "edge_index": index, "shifts": shifts}
    slot = Slot("1x1o", "flat")
    block = blocks.Block("edge_vectors", "step", "", "", {"positions": slot, "shifts": slot}, {"out.0": slot}, 0)
    return Action(block, Structure(Counts(7, 11, 1), 3, cell.expand(7, 3, 3))), tensors


def vectors(t: dict[str, torch.Tensor]) -> torch.Tensor:
    return t["positions"][t["edge_index"][1]] - t["positions"][t["edge_index"][0]] + t["shifts"]


@pytest.mark.parametrize("element", elements(0, 2, 2, 2), ids=lambda e: e.text)
def test_edge_vectors_follow_every_element(edges: tuple[Action, dict[str, torch.Tensor]], element: object) -> None:
    action, tensors = edges
    assert action.applies(element, tensors)  # type: ignore[arg-type]
    result = vectors(action.inputs(tensors, element))  # type: ignore[arg-type]
    expected = action.output("out.0", vectors(tensors), element)  # type: ignore[arg-type]
    assert float((result - expected).abs().max()) < 1e-12


def test_a_perturbed_geometry_is_of_the_size_of_what_is_moved(edges: tuple[Action, dict[str, torch.Tensor]]) -> None:
    _, tensors = edges
    sizes = []
    for far in (0.0, 100.0):
        positions = tensors["positions"] + far
        swung, shifts = perturb_geometry(positions, tensors["shifts"], tensors["edge_index"], 5)
        sizes.append(float((swung - positions).norm()) * 2**26)
        assert float((shifts - tensors["shifts"]).abs().max()) * 2**26 < 40
    assert sizes[1] > 10 * sizes[0] and 100 / 3 < sizes[1] < 100 * math.sqrt(21)


def test_permutations_are_not_stated_where_extents_cannot_be_told_apart() -> None:
    cells = torch.zeros(3, 3, 3, dtype=torch.float64)
    assert not Structure(Counts(3, 6, 1), 3, cells).distinguishable, "three atoms and three elements"
    assert Structure(Counts(5, 8, 1), 3, cells).distinguishable
    assert not Structure(Counts(5, 8, 1), 3, cells).periodic


def test_nan_fails_and_zero_error_passes() -> None:
    scale = Scale(torch.ones(4, 3, dtype=torch.float64), 1.0, 0.1, 1.0, 1.0, 0.0, 12, freedom=20.0)
    limits: RatioLimits = limits_for(load_tolerances(), "x", "e3nn", "float64", "forward")
    slot, square = Slot("1x1o", "flat"), torch.ones(4, 3, dtype=torch.float64)
    error = torch.zeros(4, 3, dtype=torch.float64)
    assert not deviations(Turn(Q), "out", error, 0 * square, slot, scale, limits)[0].fails
    error[1, 1] = float("nan")
    found = deviations(Turn(Q), "out", error, square, slot, scale, limits)[0]
    assert found.fails and found.share == math.inf
    assert deviations(Turn(Q), "out", torch.full_like(error, 1e-9), 0 * square, slot, scale, limits)[0].fails, "an error where none is allowed"


def test_an_undeclared_vector_is_reported_not_passed(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert invariance._probe(session, SYSTEM) == {}
    original = blocks.input_slots
    monkeypatch.setattr(blocks, "input_slots", lambda m: {} if type(m).__name__ == "SphericalHarmonics" else original(m))
    found = invariance._probe(session, SYSTEM)
    assert list(found) == ["spherical_harmonics"] and "declares no irreps" in found["spherical_harmonics"]


def test_a_block_runs_at_most_two_and_a_half_times_per_element(session: Session) -> None:
    module = session.reference_backend.model.get_submodule("interactions.1.linear")
    calls = []
    handle = module.register_forward_hook(lambda *_: calls.append(1))
    try:
        found = inspections.run("symmetry", session, Key(equivariance.NAME, "interactions.1.linear", "e3nn", system=SYSTEM))
    finally:
        handle.remove()
    samples = sum(int(f.figures["samples"]) for f in found)  # type: ignore[arg-type]
    assert [f.verdict for f in found] == ["pass"] * len(FORMATS)
    assert len(calls) <= 2.5 * samples


def test_state_is_as_before(session: Session) -> None:
    model = session.reference_backend.model
    before = {n: t.clone() for n, t in model.state_dict().items()}
    dtype, threads, state = torch.get_default_dtype(), torch.get_num_threads(), torch.random.get_rng_state()
    for subject in ("products.0", equivariance.MODEL):
        inspections.run("symmetry", session, Key(equivariance.NAME, subject, "e3nn", system=SYSTEM))
    after = model.state_dict()
    assert all(t.dtype == after[n].dtype and torch.equal(t, after[n]) for n, t in before.items())
    assert (torch.get_default_dtype(), torch.get_num_threads()) == (dtype, threads)
    assert torch.equal(torch.random.get_rng_state(), state)
