"""Faults of running with ghost atoms turn the property red and name the interaction; upstream as it is, and written otherwise, is green."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mpcheck.adapters import ghosts as fake
from mpcheck.adapters.upstream import mace
from mpcheck.checks.physics import ghosts
from mpcheck.checks.physics.structure import Case
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests import inspections
from tests.conftest import SYSTEM
from tests.faults.patches import PATCHES
from tests.faults.patches.planting import exchanged
from tests.faults.planted import replaced_attribute

mblocks = mace.modules.blocks
Planted = contextlib.AbstractContextManager[None]
NON_LINEAR = "RealAgnosticResidualNonLinearInteractionBlock"
DENSITY = "RealAgnosticDensityInteractionBlock"


def judged(session: Session, backend: str = "e3nn", subject: str = "ghosts") -> dict[str, Record]:
    system = SYSTEM if subject == "ghosts" else ""
    return {f.variant: f for f in inspections.run("audit", session, Key("physics", subject, backend, "float64", system))}


class _Silent(torch.autograd.Function):
    """Upstream's exchange whose backward pass leaves the ghosts' gradients with the ghosts."""

    @staticmethod
    def forward(ctx: Any, feats: torch.Tensor, data: Any) -> torch.Tensor:
        out = torch.empty_like(feats)
        data.forward_exchange(feats, out, feats.shape[-1])
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0], None


def exchange(make: Callable[[Any], Any]) -> Planted:
    """Upstream's exchange replaced by ``make(original)``."""
    return replaced_attribute(mblocks, "LAMMPS_MP", SimpleNamespace(apply=make(mblocks.LAMMPS_MP.apply)))


def missing() -> Planted:
    return exchange(lambda apply: lambda feats, data: feats)


def twice() -> Planted:
    return exchange(lambda apply: lambda feats, data: apply(apply(feats, data), data))


def accumulated() -> Planted:
    return exchange(lambda apply: lambda feats, data: feats + apply(feats, data))


def silent_backward() -> Planted:
    return exchange(lambda apply: _Silent.apply)


def ghosts_of_no_element() -> Planted:
    from mace.calculators.lammps_mliap_mace import LAMMPS_MLIAP_MACE

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def prepare(self: Any, data: Any, natoms: int, nghosts: int, species: torch.Tensor) -> dict[str, Any]:
            batch: dict[str, Any] = original(self, data, natoms, nghosts, species)
            batch["node_attrs"][natoms:] = 0
            return batch

        return prepare

    return exchanged(LAMMPS_MLIAP_MACE, "_prepare_batch", make)


def density_kept() -> Planted:
    """Only what has one column is not cut off: the density."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, tensor, n_real=None: tensor if tensor.shape[-1] == 1 else original(self, tensor, n_real)

    return exchanged(mblocks.InteractionBlock, "truncate_ghosts", make)


FAULTS = {
    "missing": (missing, "forward", "interactions.1"),
    "accumulated": (accumulated, "forward", "interactions.1"),
    "exchanged twice": (twice, "backward", "interactions.1"),
    "gradients left with ghosts": (silent_backward, "backward", "interactions.1"),
    "ghosts of no element": (ghosts_of_no_element, "forward", "interactions.0"),
}


@pytest.mark.parametrize("backend", ["e3nn", "cueq"])
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_name_the_interaction(session: Session, backend: str, fault: str) -> None:
    plant, variant, block = FAULTS[fault]
    assert {f.verdict for f in judged(session, backend).values()} == {"pass"}
    with plant():
        found = judged(session, backend)[variant]
    assert found.verdict == "fail", f"not seen: ratio {found.ratio}"
    assert found.worst.startswith(block), found.worst
    assert found.reason.startswith(f"{block}: ")
    assert {f.verdict for f in judged(session, backend).values()} == {"pass"}, "the fault was not taken out"


def test_ghosts_that_are_kept(session: Session) -> None:
    with PATCHES["ghosts_kept"](session):
        found = judged(session)["forward"]
    assert found.verdict == "fail"
    assert found.worst == "interactions.0"
    assert "rows for 33 local atoms" in found.reason


def _sums_turned_round(original: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def call(src: torch.Tensor, index: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        return original(src=src.flip(0), index=index.flip(0), **kwargs)

    return call


def _cut_by_index(self: Any, tensor: torch.Tensor, n_real: int | None = None) -> torch.Tensor:
    return tensor if n_real is None else tensor.index_select(0, torch.arange(n_real))


def test_another_order_and_another_way_to_cut_are_green(session: Session) -> None:
    truncate = exchanged(mblocks.InteractionBlock, "truncate_ghosts", lambda _: _cut_by_index)
    with truncate, exchanged(mblocks, "scatter_sum", _sums_turned_round):
        found = judged(session)
    assert {f.verdict for f in found.values()} == {"pass"}, [f.reason for f in found.values()]


def test_every_interaction_of_upstream_has_its_findings(session: Session) -> None:
    found = judged(session, subject="ghost-classes")
    assert {v.rpartition(" ")[0] for v in found} == set(fake.interaction_classes())
    assert {f.verdict for f in found.values()} == {"pass"}, [f.reason for f in found.values()]
    with density_kept():
        wrong = judged(session, subject="ghost-classes")
    red = {v.partition(" ")[0]: f for v, f in wrong.items() if f.verdict == "fail"}
    assert {DENSITY, NON_LINEAR} <= set(red)
    assert "RealAgnosticInteractionBlock" not in red, "it has no density"
    assert all(f.worst.startswith("interactions.0") for f in red.values())


def test_a_wrong_sum_of_energies_is_seen_as_energy(session: Session) -> None:
    from mace.calculators.lammps_mliap_mace import LAMMPS_MLIAP_MACE

    def make(original: Callable[..., None]) -> Callable[..., None]:
        def update(self: Any, data: Any, atom_energies: torch.Tensor, pair_forces: torch.Tensor, natoms: int) -> None:
            original(self, data, atom_energies.clone().index_fill(0, torch.tensor([natoms - 1]), 0.0), pair_forces, natoms)

        return update

    with exchanged(LAMMPS_MLIAP_MACE, "_update_lammps_data", make):
        found = judged(session)["forward"]
    assert found.verdict == "fail"
    assert found.worst.startswith("node_energy")


def test_no_ghosts_is_no_conclusion(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(session, Key("physics", "ghosts", "e3nn", "float64", SYSTEM), session.reference_backend.model, torch.device("cpu"))
    graph = session.graph(SYSTEM)
    apart = {**graph, "edge_index": graph["edge_index"][:, :0], "shifts": graph["shifts"][:0], "unit_shifts": graph["unit_shifts"][:0]}
    (found,) = ghosts.compare(case, case.model, apart, {}, "Default")
    assert found.verdict == "inconclusive"
