"""Sum rules see what is left over, and name the axis, the atom and the tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mpcheck.checks.physics import sums
from mpcheck.checks.physics.structure import Case, choose_frame
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests.unit.checks.physics.judging import WATER


class Changed(torch.nn.Module):
    """A model whose outputs are changed."""

    def __init__(self, model: torch.nn.Module, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
        super().__init__()
        self.model, self.change = model, change

    def forward(self, data: dict[str, torch.Tensor], **flags: bool) -> dict[str, torch.Tensor]:
        out: dict[str, torch.Tensor] = self.model(data, **flags)
        out = {k: v.detach().clone() if isinstance(v, torch.Tensor) else v for k, v in out.items()}
        self.change(out)
        return out


def case_of(run: Session, name: str, change: Callable[[dict[str, torch.Tensor]], Any]) -> Case:
    frame = choose_frame(list(run.systems[WATER].frames))
    assert not isinstance(frame, str)
    return Case(run, Key("physics", name, "e3nn", "float64", WATER), Changed(run.reference_backend.model, change), torch.device("cpu"), frame)


def add(tensor: str, where: Any, value: float) -> Callable[[dict[str, torch.Tensor]], None]:
    def change(out: dict[str, torch.Tensor]) -> None:
        out[tensor][where] += value

    return change


def red(found: list[Record]) -> list[str]:
    return [r.variant for r in found if r.verdict == "fail"]


@pytest.mark.parametrize(("axis", "name"), [(0, "x"), (2, "z")])
def test_a_force_that_is_not_opposed_is_named_by_its_axis(run: Session, axis: int, name: str) -> None:
    assert sums.net_force(case_of(run, "net-force", lambda out: None))[0].verdict == "pass"
    (wrong,) = sums.net_force(case_of(run, "net-force", add("forces", (0, axis), 1e-9)))
    assert wrong.verdict == "fail" and wrong.worst == name and f"net force along {name}" in wrong.reason


def test_no_force_at_all_concludes_nothing(run: Session) -> None:
    (record,) = sums.net_force(case_of(run, "net-force", lambda out: out["forces"].zero_()))
    assert record.verdict == "inconclusive"


def test_node_energies_that_do_not_add_up(run: Session) -> None:
    assert red(sums.node_energies(case_of(run, "node-energies", lambda out: None))) == []
    found = sums.node_energies(case_of(run, "node-energies", add("node_energy", 3, 1e-9)))
    assert red(found) == [""] and "node energies do not add up" in found[0].reason


def test_two_roundings_of_a_sum_may_be_neighbours(run: Session) -> None:
    """One step of the format is told apart by nothing, two are."""

    def steps(count: int) -> Callable[[dict[str, torch.Tensor]], None]:
        def change(out: dict[str, torch.Tensor]) -> None:
            energy = out["node_energy"][0].clone()
            out["node_energy"][1:] = 0.0
            for _ in range(count):
                energy = torch.nextafter(energy, torch.full_like(energy, torch.inf))
            out["energy"] = energy.reshape(1)

        return change

    near, far = (sums.node_energies(case_of(run, "node-energies", steps(n)))[0] for n in (1, 4000))
    assert (near.verdict, near.ratio) == ("pass", 0.0) and far.verdict == "fail"


def test_members_of_a_batch_are_unequal(run: Session) -> None:
    frames = sums.members(case_of(run, "batch", lambda out: None))
    assert len({len(f) for f in frames}) == 3 and len(frames[1]) == 1 and {bool(f.pbc.all()) for f in frames} == {True, False}
    assert not (frames[0].positions == frames[2].positions[::-1]).all()


def test_an_energy_that_depends_on_its_neighbours_in_the_batch(run: Session) -> None:
    def leak(out: dict[str, torch.Tensor]) -> None:
        out["energy"][-1] += 1e-9 * (len(out["energy"]) > 1)

    found = sums.batch(case_of(run, "batch", leak))
    assert red(found) == ["energy"] and found[0].worst == "graph 3"
