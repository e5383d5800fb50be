"""Forces and stress by extrapolated differences, of a spring whose derivatives are known."""

from __future__ import annotations

import pytest
import torch
from ase import Atoms

from mpcheck.checks.physics import forces as physics_forces
from mpcheck.checks.physics import structure as physics_model
from mpcheck.judge.context import Key
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM


class Spring(torch.nn.Module):
    """E = sum of k/2 |r_i|^2 + sin(x_i) over the atoms of each graph, in float64, or rounded to a coarser grid."""

    def __init__(self, grid: float = 0.0) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, data: dict[str, torch.Tensor], compute_force: bool = True) -> dict[str, torch.Tensor]:
        x = data["positions"]
        energy = torch.zeros(len(data["ptr"]) - 1, dtype=x.dtype).index_add_(0, data["batch"], (1.5 * x.square() + x.sin()).sum(1))
        if self.grid:
            energy = torch.round(energy / self.grid) * self.grid
        return {"energy": energy}


def _graph(atoms: int = 4) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    nothing = torch.zeros(0, 3, dtype=torch.float64)
    return {
        "positions": torch.randn(atoms, 3, dtype=torch.float64, generator=generator), "node_attrs": torch.ones(atoms, 1, dtype=torch.float64),
        "edge_index": torch.zeros(2, 0, dtype=torch.long), "shifts": nothing, "unit_shifts": nothing, "cell": torch.eye(3, dtype=torch.float64),
        "batch": torch.zeros(atoms, dtype=torch.long), "ptr": torch.tensor([0, atoms]),
    }  # fmt: skip


def test_extrapolated_differences_are_right_within_what_they_allow() -> None:
    graph = _graph()
    x = graph["positions"]
    directions = [torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(i)) for i in range(8)]
    found = physics_forces.derivatives(Spring(), graph, directions, False, 1e-15)
    exact = torch.stack([((3 * x + x.cos()) * d).sum() for d in directions])
    assert bool(((found.value - exact).abs() <= found.allowed).all())
    assert float((found.allowed / exact.abs()).max()) < 1e-7, "so wide that nothing would be seen"


def test_rounding_of_energies_is_allowed_for() -> None:
    graph, grid = _graph(), 1e-9
    direction = torch.ones(4, 3, dtype=torch.float64)
    exact = float(((3 * graph["positions"] + graph["positions"].cos()) * direction).sum())
    found = physics_forces.derivatives(Spring(grid), graph, [direction], False, grid / 12**0.5)
    assert abs(float(found.value[0]) - exact) <= float(found.allowed[0])
    assert float(found.allowed[0]) > 1e-8


def test_strain_derivative() -> None:
    graph = _graph()
    x = graph["positions"]
    strain = torch.tensor([[0.3, 0.1, 0.0], [0.1, -0.2, 0.4], [0.0, 0.4, 0.5]], dtype=torch.float64)
    found = physics_forces.derivatives(Spring(), graph, [strain], True, 1e-15)
    exact = float(((3 * x + x.cos()) * (x @ strain)).sum())
    assert abs(float(found.value[0]) - exact) <= float(found.allowed[0])


def test_batched_copies_are_the_graph_itself(session: Session) -> None:
    graph = session.graph(SYSTEM)
    model = session.reference_backend.model
    single = physics_model.energies(model, graph)
    together = physics_forces.energies_of(model, [graph] * 3)
    assert torch.allclose(together, single.expand(3), rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("symbols", "places", "says"),
    [
        ("HO", [[0, 0, 0], [1.1, 0, 0]], "two neighbours"),
        ("HHH", [[0, 0, 0], [1.1, 0, 0], [0, 1.3, 0]], "one element"),
        ("HOC", [[0, 0, 0], [9.0, 0, 0], [0, 9.0, 0]], "below the resolution"),
    ],
)
def test_degenerate_structures_conclude_nothing(session: Session, symbols: str, places: list[list[float]], says: str) -> None:
    frame, backend = Atoms(symbols, places), session.reference_backend
    case = physics_model.Case(session, Key("physics", "finite-difference", "e3nn", "float64", "here"), backend.model, backend.device, frame)
    (found,) = physics_forces.finite_difference(case)
    assert found.verdict == "inconclusive"
    assert says in found.reason
