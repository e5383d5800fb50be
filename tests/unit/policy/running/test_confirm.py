"""A policy that is not what runs is seen, block by block: faults that were planted, and sound ones that must stay green."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.backends.twin import twin
from mpcheck.adapters.facts.channels import Matrix
from mpcheck.policy.evaluation import Tensors
from mpcheck.policy.rules import Policy, builtin
from mpcheck.policy.running import applied, energies, packed, wrapped
from mpcheck.policy.running.applied import PolicyModel, apply
from mpcheck.policy.running.confirm import faults
from tests.unit.checks.uses.small_models import built


def base(policy: Policy) -> Policy | None:
    """The policy without what makes it one."""
    if policy.rules or policy.autocast:
        return Policy(name=policy.base, base=policy.base, energies=policy.energies)
    return Policy(name="float32") if policy.base == "tf32" else None


def found(model: torch.nn.Module, graph: Tensors, name: str, source: torch.nn.Module | None = None) -> dict[str, str]:
    policy = builtin()[name]
    plain = base(policy)
    return faults(apply(model, policy, source=source), model, graph, None if plain is None else apply(model, plain, source=source))


@pytest.mark.parametrize("name", list(builtin()))
@pytest.mark.parametrize("backend", ["e3nn", "cueq"])
def test_what_runs_as_it_says_is_green(model: torch.nn.Module, cueq: BackendModel, graph: Tensors, backend: str, name: str) -> None:
    if backend == "cueq" and "int8" in name:
        pytest.skip("refused")
    assert found(model if backend == "e3nn" else cueq.model, graph, name, model) == {}


def only_one_interaction(monkeypatch: pytest.MonkeyPatch) -> None:
    original = applied.substituted
    monkeypatch.setattr(applied, "substituted", lambda root, path, module: root if "interactions.1" in path else original(root, path, module))


def ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applied, "substituted", lambda root, path, module: root)


def truncating(monkeypatch: pytest.MonkeyPatch) -> None:
    def cast(t: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        if not t.is_floating_point() or dtype != torch.bfloat16:
            return t.to(dtype) if t.is_floating_point() else t
        return (t.float().view(torch.int32) & -65536).view(torch.float32).to(dtype)  # the lower half of the bits is cut off

    monkeypatch.setattr(wrapped, "cast", cast)


def truncated_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    original = torch.nn.Module.to

    def to(self: torch.nn.Module, *args: Any, **kwargs: Any) -> torch.nn.Module:
        if args == (torch.bfloat16,):
            for p in self.parameters():
                p.data = (p.data.float().view(torch.int32) & -65536).view(torch.float32)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(torch.nn.Module, "to", to)


def by_way_of_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    original = applied.twin
    monkeypatch.setattr(applied, "twin", lambda module, math=None: original(module, math).to(torch.float16).to(torch.float64))


def wide_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    original = applied.Wrapped

    def wrapping(inner: torch.nn.Module, *rest: Any) -> wrapped.Wrapped:
        wide = twin(inner).float()
        inner.forward = lambda x: wide(x.float()).to(x.dtype)
        return original(inner, *rest)

    monkeypatch.setattr(applied, "Wrapped", wrapping)


def not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    original = applied.Wrapped
    monkeypatch.setattr(applied, "Wrapped", lambda inner, compute, interface, packed: original(inner, compute, compute, packed))


PLANTED: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str, str, str]] = {
    "one interaction of two": (only_one_interaction, "linear-bf16", "interactions.1.linear", "not the nearest bfloat16 number"),
    "the policy is ignored": (ignored, "linear-bf16", "model", "the policy changed nothing"),
    "the policy is ignored, block by block": (ignored, "seeds", "interactions.0.conv_tp_weights", "not the nearest bfloat16 number"),
    "casts truncate": (truncating, "linear-bf16", "interactions.0.linear", "not cast to the nearest number"),
    "weights are truncated": (truncated_weights, "linear-bf16", "interactions.0.linear", "not the nearest bfloat16 number"),
    "weights are rounded twice": (by_way_of_float16, "linear-bf16", "interactions.0.linear", "not the nearest bfloat16 number"),
    "weights are rounded on the way to the base": (by_way_of_float16, "float32", "interactions.0.linear", "not the nearest float32 number"),
    "a block computes wider than it says": (wide_inside, "radial-fp16", "interactions.0.conv_tp_weights", "computes in float32"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_policy_that_is_not_what_runs(model: torch.nn.Module, graph: Tensors, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    plant, policy, block, said = PLANTED[name]
    plant(monkeypatch)
    seen = found(model, graph, policy)
    assert said in seen.get(block, ""), seen
    if name == "one interaction of two":
        assert "interactions.0.linear" not in seen


def test_results_are_handed_on_in_16_bits(model: torch.nn.Module, graph: Tensors, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last layer's, which are added to others, so that nothing raises."""
    not_handed_on(monkeypatch)
    own = Policy.model_validate({"name": "own", "rules": [{"blocks": ["readouts.1.linear_2"], "compute": "float16"}]})
    assert "hands on float16, not float32" in faults(apply(model, own), model, graph)["readouts.1.linear_2"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_energies_of_isolated_atoms_with_fewer_digits(graph: Tensors, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    model = built("ScaleShiftMACE", atomic_energies=np.array([-13.6057, -1029.28134567]))
    original = energies.AtomicEnergies
    monkeypatch.setattr(energies, "AtomicEnergies", lambda table: original(table.to(dtype)))
    assert "not the model's own in float64" in found(model, graph, "float32")["atomic_energies_fn"]


def test_energies_of_isolated_atoms_counted_twice(model: torch.nn.Module, graph: Tensors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energies.torch, "zeros_like", lambda t: t.clone())
    assert "summed here and apart" in found(model, graph, "float32")["atomic_energies_fn"]


def test_energies_of_isolated_atoms_not_apart(model: torch.nn.Module, graph: Tensors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applied, "taken_out", lambda whole: None)
    assert "not summed apart" in found(model, graph, "float32")["atomic_energies_fn"]


def test_int8_scales_of_the_wrong_axis(model: torch.nn.Module, graph: Tensors, monkeypatch: pytest.MonkeyPatch) -> None:
    original = packed.matrices

    def other_axis(module: torch.nn.Module, name: str, parameter: torch.Tensor) -> list[Matrix] | None:
        return [dataclasses.replace(m, axis=0) for m in original(module, name, parameter) or []]

    monkeypatch.setattr(packed, "matrices", other_axis)
    assert "not for each output channel" in found(model, graph, "int8w+fp16")["interactions.0.linear"]


@pytest.mark.parametrize("factor", [0.5, 1.02, 2.0])
def test_int8_scales_of_the_wrong_size(model: torch.nn.Module, graph: Tensors, monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    original = packed.quantised

    def rescaled(parameter: torch.Tensor, parts: list[Matrix]) -> tuple[torch.Tensor, torch.Tensor]:
        codes, scales = original(parameter, parts)
        return codes, scales * factor

    monkeypatch.setattr(packed, "quantised", rescaled)
    assert "nearest int8 number" in found(model, graph, "int8w+fp16")["interactions.0.linear"]


def test_float8_in_the_subnormal_range(model: torch.nn.Module, graph: Tensors, monkeypatch: pytest.MonkeyPatch) -> None:
    def unscaled(parameter: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return parameter.detach().flatten().to(torch.float8_e4m3fn), torch.tensor(1.0)

    monkeypatch.setattr(packed, "scaled", unscaled)
    assert "lower half of what float8 holds" in found(model, graph, "float8_e4m3fn")["interactions.0.linear"]


def test_a_weight_that_int8_holds_exactly_is_said_to_have_changed_nothing(model: torch.nn.Module) -> None:
    linear = model.get_submodule("readouts.0.linear")
    kept = {n: p.detach().clone() for n, p in linear.named_parameters()}
    try:
        with torch.no_grad():
            for p in linear.parameters():
                p.fill_(1.0)
        whole = Policy(name="own", rules=[{"blocks": ["readouts.0.linear"], "storage": "float8_e4m3fn"}])  # type: ignore[list-item]
        with pytest.raises(InputError, match="changed no bit of its weights"):
            apply(model, whole)
    finally:
        with torch.no_grad():
            for n, p in linear.named_parameters():
                p.copy_(kept[n])


def test_what_is_not_confirmed_changes_nothing(model: torch.nn.Module, graph: Tensors) -> None:
    made = apply(model, builtin()["linear-bf16"])
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in made.modules())
    faults(made, model, graph)
    assert isinstance(made, PolicyModel)
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in made.modules()) == hooks
