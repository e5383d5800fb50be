"""Prints of references: what they follow, and what they do not."""

from __future__ import annotations

import pytest
import torch

from mpcheck.reference.prints import INPUT, MOVED, VALUE, distance, moved, print_of, prints_of, size
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM

CULPRIT, COMPOSITE, BEHIND, BEFORE = "radial_embedding.bessel_fn", "radial_embedding", "interactions.1.linear", "interactions.0.linear_up"


def test_prints_follow_values_and_columns_but_no_order_of_rows() -> None:
    x = torch.randn(500, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    near = x * (1 + 2.0**-52 * torch.sign(x))
    assert distance(print_of(x), print_of(x[torch.randperm(500)])) < MOVED * size(print_of(x), print_of(x))
    assert distance(print_of(x), print_of(near)) < MOVED
    assert distance(print_of(x), print_of(x[:, [1, 0, 2, 3, 4, 5, 6]])) > 1e-3
    for other in (x.float().double(), x * (1 + 1e-9), -x):
        assert distance(print_of(x), print_of(other)) > MOVED * size(print_of(x), print_of(other))
    one = print_of(x)
    one_off = x.clone()
    one_off[3, 4] += 1e-4
    assert distance(one, print_of(one_off)) > MOVED
    assert distance(one, print_of(x[:-1])) == distance(one, print_of(x.int())) == float("inf")


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (4, 0), (2, 3, 5)])
def test_prints_of_any_shape(shape: tuple[int, ...]) -> None:
    assert all(isinstance(number, float) for dtype in (torch.float64, torch.int64, torch.bool) for number in print_of(torch.ones(shape, dtype=dtype)))


def test_whole_numbers_move_or_do_not() -> None:
    index = torch.tensor([[0, 1, 2], [1, 2, 0]])
    before = {f"{INPUT}edge_index": print_of(index)}
    assert moved(before, {f"{INPUT}edge_index": print_of(index.flip(1))}, INPUT) == ""
    assert moved(before, {f"{INPUT}edge_index": print_of(index + 1)}, INPUT) == "edge_index"
    assert moved(before, {}, INPUT) == moved({}, before, INPUT) == "edge_index"


def test_prints_do_not_hold_the_energy_s_gradients(session: Session) -> None:
    found = prints_of(session.library(SYSTEM).get(BEHIND))
    assert {f"{VALUE}out", f"{VALUE}grad.features", f"{VALUE}weight.weight", f"{INPUT}features"} <= set(found)
    assert not any(".energy." in name for name in found)
