"""An operation once more in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mpcheck.judge.operations.widened import in_float64, is_view, mutates, repeatable, widened
from mpcheck.reference.dispatch import DispatchMode

aten = torch.ops.aten


def test_operands_and_types_that_are_asked_for_are_widened() -> None:
    x, index = torch.ones(2, dtype=torch.bfloat16), torch.tensor([1])
    args, kwargs = widened(((x, [x, None], index, 3.0, torch.int64), {"dtype": torch.float16}))
    assert args[0].dtype == args[1][0].dtype == kwargs["dtype"] == torch.float64
    assert args[2] is index
    assert args[3:] == (3.0, torch.int64)


def test_what_is_written_into_is_copied() -> None:
    x = torch.zeros(2, dtype=torch.float64)
    assert widened(x).data_ptr() == x.data_ptr()
    in_float64(aten.add_.Tensor, widened((x, 1.0), copy=True), {})
    assert not x.any()


class _Spoils(DispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {})) * 0


def test_no_other_mode_stands_in_the_way() -> None:
    x = torch.full((2, 2), 3.0, dtype=torch.float64)
    with _Spoils():
        spoiled, found = x @ x, in_float64(aten.mm.default, (x, x), {})
    assert not spoiled.any()
    assert float(found[0, 0]) == 18.0


def test_what_torch_cannot_do_gives_nothing() -> None:
    assert in_float64(aten.mm.default, (torch.ones(2, 3), torch.ones(2, 3)), {}) is None


@pytest.mark.parametrize(
    ("func", "again", "writes", "looks"),
    [
        (aten.mm.default, True, False, False),
        (aten.add_.Tensor, True, True, False),
        (aten.expand.default, True, False, True),
        (aten.view.dtype, True, False, False),
        (aten.bernoulli.default, False, False, False),
        (aten.empty.memory_format, False, False, False),
        (aten.normal_.default, False, True, False),
    ],
)  # fmt: skip
def test_kinds_of_operations(func: Any, again: bool, writes: bool, looks: bool) -> None:
    assert (repeatable(func), mutates(func), is_view(func)) == (again, writes, looks)
