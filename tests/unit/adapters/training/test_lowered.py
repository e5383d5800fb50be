"""Models that train in lower precision: what rounds, what does not, and what stays upstream's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.training.lowered import Lowering, linears, lowered
from mpcheck.systems import resolve_system

CPU = torch.device("cpu")
BF16, F32 = torch.bfloat16, torch.float32


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    arch = Architecture(
        schema_version=1, name="tiny", elements=["H", "O"], atomic_energies={"H": -10.7, "O": -102.5}, r_max=3.0, num_bessel=4, max_ell=1,
        hidden_irreps="4x0e + 4x1o", MLP_irreps="4x0e", correlation=2, radial_MLP=[8], avg_num_neighbors=4.0,
    )  # fmt: skip
    return build_model(arch)


@pytest.fixture(scope="module")
def graph() -> dict[str, torch.Tensor]:
    made = make_graph(resolve_system("builtin:water:3", ["H", "O"], 3.0).frames, ["H", "O"], 3.0)
    return {name: t.float() if t.is_floating_point() else t for name, t in made.items()}


class Types(TorchDispatchMode):
    """Which types matrix products and additions have seen."""

    def __init__(self) -> None:
        super().__init__()
        self.products: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.bmm):
            self.products.add(args[0].dtype)
        return func(*args, **(kwargs or {}))


def energy(made: torch.nn.Module, graph: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, set[torch.dtype]]:
    torch.set_default_dtype(F32)
    with Types() as seen:
        out = made({name: t.clone() for name, t in graph.items()}, training=True)
    return out["energy"], out["forces"], seen.products


def test_names_and_original_stay(model: torch.nn.Module) -> None:
    made = lowered(model, Lowering(F32, linear=BF16, master=False), CPU)
    assert [name for name, _ in made.named_parameters()] == [name for name, _ in model.named_parameters()]
    assert {p.dtype for p in model.parameters()} == {torch.float64} and not any("forward" in module.__dict__ for _, module in linears(model))
    narrow = {name.rpartition(".")[0] for name, p in made.named_parameters() if p.dtype == BF16}
    assert narrow == {path for path, _ in linears(model)} and "readouts.0.linear" in narrow


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Lowering(F32), {F32}),
        (Lowering(F32, linear=BF16), {F32, BF16}),
        (Lowering(F32, linear=BF16, master=False), {F32, BF16}),
        (Lowering(F32, autocast=BF16), {F32, BF16}),
        (Lowering(F32, autocast=torch.float16), {F32, torch.float16}),
    ],
)
def test_products_run_in_the_types_that_are_asked_for(how: Lowering, expected: set[torch.dtype], model: Any, graph: Any) -> None:
    energies, forces, seen = energy(lowered(model, how, CPU), graph)
    plain, plain_forces, _ = energy(lowered(model, Lowering(F32), CPU), graph)
    assert seen == expected and {energies.dtype, forces.dtype} == {F32}
    assert torch.allclose(forces, plain_forces, atol=0.1 * float(plain_forces.abs().max()))
    assert torch.equal(forces, plain_forces) is (how == Lowering(F32))
    assert float((energies - plain).abs().max()) < 0.3


def test_energies_of_isolated_atoms_are_not_rounded(model: Any, graph: Any) -> None:
    """Autocast would make -102.5 and -10.6875 of -102.5 and -10.7."""
    made = lowered(model, Lowering(F32, autocast=BF16), CPU)
    with torch.autocast("cpu", dtype=BF16):
        found = made.atomic_energies_fn(graph["node_attrs"])
    assert sorted(set(found.flatten().tolist())) == pytest.approx([-102.5, -10.7], abs=1e-5)


def test_gradients_reach_master_weights(model: Any, graph: Any) -> None:
    made = lowered(model, Lowering(F32, linear=BF16), CPU)
    energies, forces, _ = energy(made, graph)
    (energies.sum() + forces.square().sum()).backward()
    for path, module in linears(made):
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.numel():
                assert parameter.grad is not None and parameter.grad.dtype == F32 and bool(parameter.grad.any()), f"{path}.{name}"


@pytest.fixture(autouse=True)
def default_type() -> Iterator[None]:
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)
