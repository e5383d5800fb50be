"""The order at which a neighbour leaves is measured, and a jump is seen."""

from __future__ import annotations

import pytest
import torch

from mpcheck.checks.physics.shape import ORDERS, cluster, edges, empty, smoothness
from mpcheck.checks.physics.structure import Case
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session


class Pairs(torch.nn.Module):
    """A pair energy of 100 (1 - r/r_max)^power eV inside the cut-off, and a step at it."""

    def __init__(self, r_max: float, power: int, step: float = 0.0, beyond: bool = False) -> None:
        super().__init__()
        self.r_max, self.power, self.step, self.beyond = r_max, power, step, beyond

    def forward(self, data: dict[str, torch.Tensor], **flags: bool) -> dict[str, torch.Tensor]:
        x = data["positions"].requires_grad_()
        sender, receiver = data["edge_index"]
        r = (x[receiver] - x[sender] + data["shifts"]).norm(dim=1)
        inside = (100 * (1 - r / self.r_max).clamp_min(0.0) ** self.power + self.step) * ((r < self.r_max) | self.beyond)
        node = torch.zeros(len(x), dtype=x.dtype).index_add(0, receiver, inside)
        energy = torch.zeros(len(data["ptr"]) - 1, dtype=x.dtype).index_add(0, data["batch"], node)
        (gradient,) = torch.autograd.grad(energy.sum(), x)
        return {"energy": energy, "node_energy": node, "forces": -gradient}


def judged(run: Session, check: str, **what: float) -> dict[str, Record]:
    key = Key("physics", check, "e3nn", "float64")
    model = Pairs(run.model.r_max, **what)  # type: ignore[arg-type]
    ask = smoothness if check == "smoothness" else edges
    return {r.variant: r for r in ask(Case(run, key, model, torch.device("cpu")))}


@pytest.mark.parametrize(("power", "verdict"), [(3, "pass"), (4, "pass"), (2, "fail")])
def test_the_order_of_vanishing_is_measured(run: Session, power: int, verdict: str) -> None:
    records = judged(run, "smoothness", power=power)
    for name, expected in ORDERS.items():
        assert records[name].verdict == verdict and records[name].figures["expected_order"] == expected
        assert records[name].figures["order"] == pytest.approx(power - (name == "forces"), abs=0.1)


def test_a_step_at_the_cut_off_is_a_jump_of_the_energy_alone(run: Session) -> None:
    assert {r.verdict for n, r in judged(run, "smoothness", power=3).items() if "jump" in n} == {"pass"}
    records = judged(run, "smoothness", power=3, step=1e-6)
    assert (records["energy, jump"].verdict, records["forces, jump"].verdict) == ("fail", "pass")
    assert f"passes r_max = {run.model.r_max:g}" in records["energy, jump"].reason


def test_edges_beyond_the_cut_off_must_add_nothing(run: Session) -> None:
    assert judged(run, "edges", power=3)["energy, beyond r_max"].verdict == "pass"
    assert judged(run, "edges", power=3, step=1e-6, beyond=True)["energy, beyond r_max"].verdict == "fail"


def test_a_cluster_has_pairs_on_both_sides_of_the_cut_off(run: Session) -> None:
    backend = run.reference_backend
    frame = cluster(Case(run, Key("physics", "edges", "e3nn"), backend.model, backend.device))
    distances = frame.get_all_distances()
    assert (distances > run.model.r_max).any() and ((distances > 0) & (distances < run.model.r_max)).any()


class Pushed(Pairs):
    """Pairs, and a force on every atom besides."""

    def forward(self, data: dict[str, torch.Tensor], **flags: bool) -> dict[str, torch.Tensor]:
        out = super().forward(data, **flags)
        shift = 100.0 * torch.ones_like(out["energy"])
        return out | {"energy": out["energy"] + shift, "forces": out["forces"] + self.step}


@pytest.mark.parametrize(("force", "verdict"), [(0.0, "pass"), (1e-16, "pass"), (1e-12, "fail")])
def test_a_force_that_float64_cannot_resolve_is_none(run: Session, force: float, verdict: str) -> None:
    case = Case(run, Key("physics", "empty", "e3nn", "float64"), Pushed(run.model.r_max, 3, force), torch.device("cpu"))
    assert {r.variant: r.verdict for r in empty(case)}["no edges"] == verdict
