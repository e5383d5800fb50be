"""Faults that cost time or memory, planted inside blocks of the built-in model: the fingerprint alone calls and names each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from mpcheck.adapters.upstream import mace
from mpcheck.bench.cost.compare import CostChange, compare_fingerprints
from mpcheck.bench.cost.fingerprint import fingerprint
from mpcheck.bench.keys import BenchKey, Work
from mpcheck.bench.work.workloads import Workloads
from mpcheck.sessions.run import Options, Session
from tests.faults.planted import replaced_attribute

SYSTEM = "builtin:water"


@pytest.fixture(scope="module")
def workloads() -> Workloads:
    return Workloads(Session(Options(model="builtin:hco", systems=(SYSTEM,), backends=("e3nn",), formats=("float32", "bfloat16"))))


Plant = Callable[[torch.nn.Module], contextlib.AbstractContextManager[None]]


def change(workloads: Workloads, block: str, plant: Plant, fmt: str = "float32", work: Work = "forward") -> CostChange:
    """What a fault changes; once it is taken out, nothing differs."""
    built = workloads.backend("e3nn")
    model: torch.nn.Module = built.model  # type: ignore[attr-defined]  # e3nn's has one
    with workloads.opened(BenchKey(SYSTEM, 1, block, "e3nn", fmt, work)) as workload:
        base = fingerprint(workload)
        with plant(model):
            head = fingerprint(workload)
        assert compare_fingerprints(base, fingerprint(workload)) == CostChange()
    return compare_fingerprints(base, head)


def after(path: str, function: Callable[[torch.Tensor], Any]) -> Plant:
    """Something done to what a submodule returns."""

    @contextlib.contextmanager
    def plant(model: torch.nn.Module) -> Iterator[None]:
        module = model.get_submodule(path)
        original = module.forward
        with replaced_attribute(module, "forward", lambda *a, **k: function(original(*a, **k))):
            yield

    return plant


def test_a_removed_fusion_is_a_launch_and_a_cast_more(workloads: Workloads) -> None:
    found = change(workloads, "interactions.1.linear", after("interactions.1.linear", torch.Tensor.float), "bfloat16")
    assert "1 more launch: _to_copy 0 -> 1" in found.worse
    assert "1 more cast bfloat16->float32" in found.worse
    assert not found.better


def test_a_float64_round_trip_is_two_casts(workloads: Workloads) -> None:
    found = change(workloads, "products.0", after("products.0.linear", lambda x: x.double().float()))
    assert {"1 more cast float32->float64", "1 more cast float64->float32", "2 more launches: _to_copy 0 -> 2"} <= set(found.worse)


def test_float64_that_enters_by_promotion_is_a_cast(workloads: Workloads) -> None:
    scale = torch.ones(1, dtype=torch.float64)
    found = change(workloads, "products.0.linear", after("products.0.linear", lambda x: x * scale))
    assert "1 more cast float32->float64" in found.worse


def test_a_synchronisation_is_named(workloads: Workloads) -> None:
    found = change(workloads, "interactions.1", after("interactions.1.linear_up", lambda x: x if x.sum().item() < 1e30 else -x))
    assert "1 more host round trip: a number read (item, bool, int or float)" in found.worse


def test_a_mask_is_a_synchronisation_too(workloads: Workloads) -> None:
    found = change(workloads, "interactions.1.linear_up", after("interactions.1.linear_up", lambda x: x[x[:, 0] < 1e30]))
    assert "1 more host round trip: a boolean index" in found.worse


@pytest.mark.parametrize(
    ("round_trip", "says"),
    [
        (lambda x: x.cpu(), "1 more host round trip: cpu"),
        (lambda x: x.to("cpu"), "1 more host round trip: cpu"),
        (lambda x: torch.from_numpy(x.detach().numpy()), "1 more host round trip: numpy"),
        (lambda x: x * len(x[:1].tolist()), "1 more host round trip: tolist"),
        (lambda x: x * (1 if bool((x < 1e30).all()) else 2), "1 more host round trip: a number read (item, bool, int or float)"),
        (lambda x: x[: int((x[:, 0] < 1e30).sum())], "1 more host round trip: a number read (item, bool, int or float)"),
        (lambda x: x[(x[:, 0] < 1e30).nonzero().squeeze(1)], "1 more host round trip: nonzero"),
        (lambda x: x.masked_select(x < 1e30).reshape(x.shape), "1 more host round trip: masked_select"),
        (lambda x: x if len(torch.unique(x[:, 0])) else -x, "1 more host round trip: _unique2"),
    ],
    ids=["cpu", "to cpu", "numpy", "tolist", "bool", "int", "nonzero", "masked_select", "unique"],
)
def test_a_host_round_trip_is_called(workloads: Workloads, round_trip: Callable[[torch.Tensor], Any], says: str) -> None:
    assert says in change(workloads, "interactions.1.linear_up", after("interactions.1.linear_up", round_trip)).worse


def test_a_host_round_trip_in_the_backward_pass_is_called(workloads: Workloads) -> None:
    def hooked(x: torch.Tensor) -> torch.Tensor:
        if x.requires_grad:
            x.register_hook(lambda grad: grad.cpu())
        return x

    found = change(workloads, "model", after("interactions.1.linear_up", hooked), work="energy+forces")
    assert found.worse == ["1 more host round trip: cpu"]


def test_a_rewriting_that_reads_nothing_makes_no_round_trip(workloads: Workloads) -> None:
    """A mask applied on the device, and moves to where a tensor is already."""
    block = "interactions.1.linear_up"
    for sound in (lambda x: torch.where(x < 1e30, x, -x), lambda x: x.to(x.device), lambda x: x.to(x), lambda x: x * (x[:1] < 1e30)):
        assert not any("host round trip" in line for line in change(workloads, block, after(block, sound)).lines())


def test_a_doubled_scatter_is_called(workloads: Workloads) -> None:
    original = mace.modules.blocks.scatter_sum

    def twice(*args: Any, **kwargs: Any) -> torch.Tensor:
        original(*args, **kwargs)
        result: torch.Tensor = original(*args, **kwargs)
        return result

    found = change(workloads, "interactions.1", lambda _: replaced_attribute(mace.modules.blocks, "scatter_sum", twice))
    assert "2 more launches: scatter_add_ 1 -> 2, zeros 1 -> 2" in found.worse
    assert any(line.startswith("multiply-adds ") and "scatter_add_ 1 -> 2" in line for line in found.worse)


@pytest.mark.parametrize("work", ["forward", "forward+backward"])
def test_a_copy_of_the_messages_is_bytes_moved(workloads: Workloads, work: Work) -> None:
    found = change(workloads, "interactions.1", after("interactions.1.conv_tp", torch.Tensor.clone), work=work)
    assert any(line.startswith("1 more launch: clone ") for line in found.worse)
    assert any(line.startswith("bytes moved ") and "clone" in line for line in found.worse)
    assert not any(line.startswith("multiply-adds") for line in found.lines())


def test_a_copy_in_the_backward_pass_alone_is_called(workloads: Workloads) -> None:
    def hooked(x: torch.Tensor) -> torch.Tensor:
        if x.requires_grad:
            x.register_hook(lambda grad: grad.clone())
        return x

    plant = after("interactions.1.conv_tp", hooked)
    assert change(workloads, "interactions.1", plant) == CostChange()
    found = change(workloads, "interactions.1", plant, work="forward+backward")
    assert any(line.startswith("1 more launch: clone ") for line in found.worse)


def test_a_buffer_that_is_held_is_peak_memory_and_nothing_else(workloads: Workloads) -> None:
    kept: list[torch.Tensor] = []

    def hold(x: torch.Tensor) -> torch.Tensor:
        kept[:] = [x]
        return x

    found = change(workloads, "interactions.1", after("interactions.1.conv_tp_weights.layer1", hold))
    assert len(found.worse) == 1 and found.worse[0].startswith("peak memory ")
    assert not found.better and not found.notes


@pytest.mark.parametrize("work", ["energy", "energy+forces"])
def test_a_fault_in_one_block_shows_in_the_whole_model(workloads: Workloads, work: Work) -> None:
    found = change(workloads, "model", after("interactions.1.conv_tp", lambda x: x.double().float()), work=work)
    passes = 1 if work == "energy" else 2  # its gradient makes the trip back
    assert f"{passes} more cast{'s'[: passes - 1]} float32->float64" in found.worse


def test_less_work_is_better_and_not_worse(workloads: Workloads) -> None:
    zeros = {}

    @contextlib.contextmanager
    def skipped(model: torch.nn.Module) -> Iterator[None]:
        module = model.get_submodule("interactions.1.skip_tp")
        zeros["shape"] = module.irreps_out.dim
        with replaced_attribute(module, "forward", lambda x, y: x[:, : zeros["shape"]]):
            yield

    found = change(workloads, "interactions.1", skipped)
    assert not found.worse
    assert any("fewer launches" in line for line in found.better)


@pytest.mark.parametrize("work", ["forward", "forward+backward"])
@pytest.mark.parametrize(
    "benign",
    [
        lambda x: x.view_as(x),
        lambda x: x.unsqueeze(0).expand(1, *x.shape).squeeze(0),
        lambda x: x.t().t().reshape(x.shape).contiguous(),
        lambda x: x[:, :],
    ],
    ids=["view", "expand", "transposed twice", "slice of everything"],
)
def test_views_cost_nothing(workloads: Workloads, benign: Callable[[torch.Tensor], torch.Tensor], work: Work) -> None:
    assert change(workloads, "interactions.1", after("interactions.1.linear_up", benign), work=work) == CostChange()
