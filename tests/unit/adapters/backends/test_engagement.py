"""Which implementation a block has, and whether it was called."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.adapters.backends.cueq import CueqModel
from mpcheck.adapters.backends.engagement import ACCELERATED, counted_calls, implementations, never_called, not_replaced, without_kernels

LINEAR = "products.0.linear"


def test_upstream_s_model_has_none_of_the_accelerated_ones_and_its_twin_nothing_else(tiny: torch.nn.Module, tiny_cueq: CueqModel) -> None:
    assert not any(i.package in ACCELERATED for i in implementations(tiny))
    assert {i.class_name for i in not_replaced(tiny)} >= {"e3nn.o3.Linear", "mace.SymmetricContraction"}
    assert not_replaced(tiny_cueq.model) == []
    assert implementations(None) == []


def test_on_a_cpu_no_kernel_runs(tiny: torch.nn.Module, tiny_cueq: CueqModel) -> None:
    cpu = torch.device("cpu")
    assert without_kernels(tiny_cueq.model.get_submodule(LINEAR), cpu)
    assert not without_kernels(tiny.get_submodule(LINEAR), cpu), "what has no kernels lacks none"


def test_a_forward_that_goes_round_its_implementation_counts_nothing(tiny_cueq: CueqModel) -> None:
    module: Any = tiny_cueq.model.get_submodule(LINEAR)
    x = torch.randn(3, module.irreps_in.dim, dtype=torch.float64)
    with counted_calls(module) as calls:
        module(x)
        assert calls == {".": 1} and never_called(module, calls) == ""
    with counted_calls(module) as calls:
        torch.zeros(1)
        assert "was never called" in never_called(module, calls)
    module(x)
    assert calls == {".": 0}, "the hooks are gone"
