"""What tensors would be without rounding."""

from __future__ import annotations

import torch

from mpcheck.judge.operations.shadows import Shadows, key_of

aten = torch.ops.aten


def test_a_tensor_is_known_by_its_memory() -> None:
    x = torch.ones(4)
    assert key_of(x) == key_of(x.detach())
    assert key_of(x) != key_of(x[1:])
    assert key_of(x) != key_of(x.view(torch.int32))


def test_rounding_does_not_reach_a_shadow() -> None:
    shadows, x = Shadows(), torch.tensor([1 / 3], dtype=torch.float64)
    low = x.to(torch.bfloat16)
    shadows.note(low, shadows.run(aten._to_copy.default, (x,), {"dtype": torch.bfloat16}), {})
    assert float(shadows.get(low)) == float(x)
    twice = low + low
    shadows.note(twice, shadows.run(aten.add.Tensor, (low, low), {}), {})
    assert float(shadows.get(twice)) == 2 * float(x) != float(twice)


def test_what_is_written_into_a_view_is_written_into_its_base() -> None:
    shadows, base = Shadows(), torch.zeros(3)
    view = base[1:]
    shadows.note(view, shadows.run(aten.slice.Tensor, (base, 0, 1), {}), {})
    filled = view.fill_(0.1)
    shadows.note(filled, shadows.run(aten.fill_.Scalar, (view, 0.1), {}), {})
    assert shadows.get(base).tolist() == [0.0, 0.1, 0.1]


def test_errors_that_are_followed_are_added() -> None:
    shadows, x = Shadows(), torch.ones(2)
    y = x * 1.0
    shadows.note(y, shadows.run(aten.mul.Tensor, (x, 1.0), {}), {0: torch.tensor([0.5, 0.0], dtype=torch.float64)})
    assert shadows.get(y).tolist() == [1.5, 1.0]
    assert shadows.get(x).tolist() == [1.0, 1.0]


def test_what_nothing_is_known_of_is_its_own_shadow() -> None:
    x = torch.tensor([0.1])
    assert float(Shadows().get(x)) == float(x.double())
