"""Each planted break of a symmetry turns its finding red, naming the irrep and the element; without it the same one is green."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.upstream import mace
from mpcheck.checks.symmetry import equivariance, moved
from mpcheck.formats import get_format
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests import inspections
from tests.conftest import SYSTEM
from tests.faults.planted import replaced_attribute

Judge = Callable[..., Record]


@pytest.fixture(scope="session")
def symmetric(session: Session) -> Judge:
    """``symmetric(block, format, backend)``: one finding."""

    def call(block: str, fmt: str = "float64", backend: str = "e3nn") -> Record:
        view = copy.copy(session)  # shares everything that is built
        view.formats = [get_format(fmt)]
        moved._WHOLES.clear()  # transformed graphs were made by upstream as it was then
        (found,) = inspections.run("symmetry", view, Key(equivariance.NAME, block, backend, system=SYSTEM))
        return found

    return call


def assert_red_then_green(judge: Judge, fault: contextlib.AbstractContextManager[None], block: str, *says: str, **where: str) -> Record:
    clean = judge(block, **where)
    assert clean.verdict == "pass", clean.reason
    with fault:
        found = judge(block, **where)
    assert found.verdict == "fail", f"not seen: {found.ratio} of {found.limit}, clean {clean.ratio}"
    for text in says:
        assert text in found.reason
    after = judge(block, **where)
    assert (after.verdict, after.ratio, after.figures) == (clean.verdict, clean.ratio, clean.figures), "the fault was not taken out"
    return found


def altered(module: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> contextlib.AbstractContextManager[None]:
    """A module whose result is changed."""
    original = module.forward
    return replaced_attribute(module, "forward", lambda *args, **kwargs: change(original(*args, **kwargs)))


def pseudovector(out: torch.Tensor) -> torch.Tensor:
    """A thousandth of the cross product of neighbouring channels, an axial vector, added to polar ones."""
    vectors = out[:, 16:64].reshape(-1, 16, 3)
    wrong = torch.linalg.cross(vectors, vectors.roll(1, dims=1))
    return torch.cat([out[:, :16], (vectors + 1e-3 * wrong / wrong.norm() * vectors.norm()).reshape(-1, 48)], dim=1)


def by_index(out: torch.Tensor) -> torch.Tensor:
    """A weight that depends on a row's place in the array: 1e-4 from the first to the last."""
    return out * (1 + 1e-4 * torch.arange(len(out), dtype=out.dtype) / len(out)).reshape(-1, *[1] * (out.ndim - 1))


def swapped(out: torch.Tensor) -> torch.Tensor:
    """Two components of l = 2 in each other's place."""
    return out[:, [0, 1, 2, 3, 5, 4, 6, 7, 8]]


def signed(out: torch.Tensor) -> torch.Tensor:
    """One component of l = 2 with the wrong sign."""
    return out * torch.tensor([1, 1, 1, 1, 1, -1, 1, 1, 1], dtype=out.dtype)


@pytest.mark.parametrize("fmt", ["float64", "float32"])
def test_parity_broken_in_one_irrep(symmetric: Judge, session: Session, fmt: str) -> None:
    module = session.reference_backend.model.get_submodule("interactions.1.linear_up")
    found = assert_red_then_green(symmetric, altered(module, pseudovector), "interactions.1.linear_up", "out 16x1o", "inversion", fmt=fmt)
    assert found.figures["failing"] == ["out 16x1o"]
    assert float(found.figures["rotation_max"]) < found.limit, "an axial vector turns as a polar one does"  # type: ignore[arg-type]


@pytest.mark.parametrize("fmt", ["float64", "float32"])
def test_result_that_depends_on_the_order_of_atoms(symmetric: Judge, session: Session, fmt: str) -> None:
    module = session.reference_backend.model.get_submodule("interactions.1.linear")
    found = assert_red_then_green(symmetric, altered(module, by_index), "interactions.1.linear", "permutation of atoms", fmt=fmt)
    assert float(found.figures["rotation_max"]) < found.limit  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["e3nn", "cueq"])
@pytest.mark.parametrize("change", [swapped, signed])
def test_components_of_one_harmonic(symmetric: Judge, session: Session, backend: str, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    model = session.backend(backend)
    assert not isinstance(model, Unsupported), model
    fault = altered(model.model.spherical_harmonics, change)  # type: ignore[attr-defined]
    found = assert_red_then_green(symmetric, fault, "spherical_harmonics", "out 1x2e", "rotation by", backend=backend)
    assert found.figures["failing"] == ["out 1x2e"]


def test_one_swapped_harmonic_is_seen_in_every_format(symmetric: Judge, session: Session) -> None:
    module = session.reference_backend.model.spherical_harmonics
    for fmt in ("float64", "float32", "tf32", "bfloat16", "float16"):
        assert_red_then_green(symmetric, altered(module, swapped), "spherical_harmonics", "out 1x2e", fmt=fmt)


def test_one_nan_is_red(symmetric: Judge, session: Session) -> None:
    def poisoned(out: torch.Tensor) -> torch.Tensor:
        out = out.clone()
        out[7, 20] = float("nan")
        return out

    module = session.reference_backend.model.get_submodule("interactions.0.linear")
    assert_red_then_green(symmetric, altered(module, poisoned), "interactions.0.linear", "out 16x1o", "NaN")


def test_edge_vectors_of_positions_in_float32(symmetric: Judge) -> None:
    original = mace.modules.utils.get_edge_vectors_and_lengths

    def narrow(positions: torch.Tensor, edge_index: torch.Tensor, shifts: torch.Tensor, **kwargs: Any) -> Any:
        return original(positions.float().to(positions.dtype), edge_index, shifts, **kwargs)

    fault = replaced_attribute(mace.modules.utils, "get_edge_vectors_and_lengths", narrow)
    found = assert_red_then_green(symmetric, fault, "edge_vectors")
    assert found.figures["failing"] == ["out.0 1x1o", "out.1"]
    assert float(found.figures["translation_max"]) > 1e3  # type: ignore[arg-type]


def test_lattice_shift_of_the_wrong_sign(symmetric: Judge) -> None:
    original = mace.modules.utils.get_edge_vectors_and_lengths

    def minus(positions: torch.Tensor, edge_index: torch.Tensor, shifts: torch.Tensor, **kwargs: Any) -> Any:
        return original(positions, edge_index, -shifts, **kwargs)

    fault = replaced_attribute(mace.modules.utils, "get_edge_vectors_and_lengths", minus)
    found = assert_red_then_green(symmetric, fault, "edge_vectors", "lattice shift")
    assert found.limit is not None
    assert float(found.figures["rotation_max"]) < found.limit  # type: ignore[arg-type]


def test_whole_model_by_the_order_of_atoms(symmetric: Judge, session: Session) -> None:
    module = session.reference_backend.model.get_submodule("products.0")
    found = assert_red_then_green(symmetric, altered(module, by_index), "model", "permutation of atoms")
    assert {"energy", "forces 1x1o"} <= set(found.figures["failing"])  # type: ignore[arg-type]


def test_neighbour_list_that_takes_distant_images_for_near_ones(symmetric: Judge) -> None:
    """Shifts of more than one cell cut down to one: right for atoms within the cell, wrong for wrapped ones."""
    from mace.data import atomic_data

    original = atomic_data.get_neighborhood

    def near(*args: Any, **kwargs: Any) -> Any:
        edge_index, _, unit_shifts, cell = original(*args, **kwargs)
        cut = unit_shifts.clip(-1, 1)
        return edge_index, cut @ cell, cut, cell

    found = assert_red_then_green(symmetric, replaced_attribute(atomic_data, "get_neighborhood", near), "model", "lattice shift")
    assert found.limit is not None
    assert float(found.figures["rotation_max"]) < found.limit  # type: ignore[arg-type]
