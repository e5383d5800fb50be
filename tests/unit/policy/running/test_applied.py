"""Policies applied: results move as far as formats say, the given model stays, upstream's calculator takes it, and what cannot be is refused."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms

from mpcheck._errors import InputError
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.calculator import calculator
from mpcheck.policy.evaluation import Tensors, evaluate
from mpcheck.policy.rules import Policy, Rule, builtin
from mpcheck.policy.running.applied import PolicyModel, apply
from tests.unit.checks.uses.small_models import built

RELATIVE = {"float64": 1e-14, "float32": 1e-5, "tf32": 3e-2, "float16": 3e-2, "bfloat16": 0.3, "float8": 0.8, "int8": 0.3}
"""Largest relative error of forces that a policy whose lowest type this is can have: some 30 of its roundoffs, for these models are random."""


def lowest(policy: Policy) -> str:
    name = policy.name
    for words, fmt in (
        ("float8", "float8"),
        ("int8", "int8"),
        ("bf16", "bfloat16"),
        ("seeds-fp16", "float16"),
        ("fp16", "float16"),
        ("seeds", "bfloat16"),
    ):
        if words in name:
            return fmt
    return policy.base


@pytest.mark.parametrize("name", list(builtin()))
@pytest.mark.parametrize("backend", ["e3nn", "cueq"])
def test_every_built_in_policy_runs_or_is_refused(model: torch.nn.Module, cueq: BackendModel, graph: Tensors, backend: str, name: str) -> None:
    source = model if backend == "e3nn" else cueq.model
    before = {n: t.clone() for n, t in source.state_dict().items()}
    exact = evaluate(model, graph)
    policy = builtin()[name]
    if backend == "cueq" and "int8" in name:
        with pytest.raises(InputError, match=r"weight weight of .* \(Linear of cuequivariance_torch\) has no known output channels"):
            apply(source, policy, source=model)
        return
    made = evaluate(apply(source, policy, source=model), graph)
    error = float((made.forces - exact.forces).norm() / exact.forces.norm())
    assert error < RELATIVE[lowest(policy)]
    assert name == "float64" or error > 1e-9, "a policy in lower formats moves forces"
    assert not made.stress[0].isnan().any()
    assert all(torch.equal(t, before[n]) for n, t in source.state_dict().items()), "the given model stays"
    assert torch.equal(evaluate(source, graph).forces, evaluate(source, graph).forces)


@pytest.mark.parametrize("name", ["MACE", "EnergyDipolesMACE"])
def test_other_classes(graph: Tensors, name: str) -> None:
    model = built(name)
    exact, made = evaluate(model, graph), evaluate(apply(model, builtin()["linear-bf16"]), graph)
    assert 1e-6 < float((made.forces - exact.forces).norm() / exact.forces.norm()) < 0.3
    assert torch.allclose(made.energy, exact.energy, atol=1.0)
    assert not torch.equal(made.energy, exact.energy)


def test_a_model_of_several_heads(graph: Tensors) -> None:
    model = built("ScaleShiftMACE", ("first", "second"))
    for head in (0, 1):
        own = {**graph, "head": torch.full_like(graph["head"], head)}
        exact, made = evaluate(model, own), evaluate(apply(model, builtin()["float32"]), own)
        assert torch.allclose(made.energy, exact.energy, rtol=1e-6)


def test_energies_apart_keep_their_digits(graph: Tensors) -> None:
    """With E0 of a thousand eV, float32 holds no digit beyond 6e-5 eV; apart, only the interaction energy is rounded."""
    model = built("ScaleShiftMACE", atomic_energies=np.array([-13.6 * 100, -1029.28134567]))
    exact = evaluate(model, graph)
    apart = evaluate(apply(model, builtin()["float32"]), graph)
    together = evaluate(apply(model, Policy(name="naive", energies="together")), graph)
    assert float((apart.energy - exact.energy).abs().max()) < 1e-6 < 1e-5 < float((together.energy - exact.energy).abs().max())


def result(model: torch.nn.Module, atoms: Atoms, **options: Any) -> dict[str, Any]:
    atoms = atoms.copy()
    atoms.calc = calculator([model], device=torch.device("cpu"), **options)
    atoms.get_potential_energy()
    return dict(atoms.calc.results)


@pytest.mark.parametrize("name", list(builtin()))
def test_upstreams_calculator_takes_it(model: torch.nn.Module, frames: list[Atoms], graph: Tensors, name: str) -> None:
    made = apply(model, builtin()[name])
    found, exact = result(made, frames[0]), result(copy.deepcopy(model), frames[0])
    assert found["forces"].shape == exact["forces"].shape
    scale = np.linalg.norm(exact["forces"])
    assert np.linalg.norm(found["forces"] - exact["forces"]) / scale < RELATIVE[lowest(builtin()[name])]
    assert abs(found["energy"] - exact["energy"]) < 1.0
    assert np.linalg.norm(found["stress"] - exact["stress"]) < RELATIVE[lowest(builtin()[name])] * np.linalg.norm(exact["stress"])
    assert np.abs(found["node_energy"] - exact["node_energy"]).max() < 0.5, "without energies of isolated atoms on both sides"


def test_a_cast_of_what_has_formats_of_its_own(model: torch.nn.Module, frames: list[Atoms]) -> None:
    made = apply(model, builtin()["linear-bf16"])
    for cast in (made.double, made.half, lambda: made.to(torch.float64), lambda: result(made, frames[0], default_dtype="float64")):
        with pytest.raises(InputError, match=r"cannot be cast: its formats are the policy's; give MACE's calculator default_dtype='float32'"):
            cast()
    assert isinstance(made.to("cpu"), PolicyModel)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Policy(name="own", rules=[Rule(blocks=["role:linear"], compute="tf32")]), "tf32 is switched for the whole model"),
        (Policy(name="own", base="tf32", rules=[Rule(blocks=["role:linear"], compute="float32")]), "tf32 is switched for the whole model"),
        (Policy(name="own", rules=[Rule(blocks=["role:linear"], compute="bfloat16", accumulate="bfloat16")]), "accumulate bfloat16 in float32"),
        (Policy(name="own", rules=[Rule(blocks=["role:linear"], storage="float64")]), "would be cast at every call"),
    ],
)
def test_what_no_kernel_does_is_refused(model: torch.nn.Module, policy: Policy, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        apply(model, policy)
    assert "node_embedding.linear" in str(caught.value) or "spherical_harmonics" in str(caught.value)


def test_a_model_that_has_lost_digits_already(model: torch.nn.Module) -> None:
    with pytest.raises(InputError, match=r"give the model in float64.*torch\.float32"):
        apply(copy.deepcopy(model).float(), builtin()["linear-bf16"])


@pytest.mark.parametrize("name", ["float64", "linear-bf16"])
def test_a_model_that_has_a_policy_already(model: torch.nn.Module, name: str) -> None:
    with pytest.raises(InputError, match=f"policy {name}: the model runs by policy all-bf16 already"):
        apply(apply(model, builtin()["all-bf16"]), builtin()[name])


def test_a_gradient_reaches_the_weights(model: torch.nn.Module, graph: Tensors) -> None:
    made = apply(model, builtin()["linear-bf16"])
    data = {n: t.float() if t.is_floating_point() else t for n, t in graph.items()}
    out = made(data, training=True)
    (out["energy"].sum() + out["forces"].square().sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for n, p in made.named_parameters() if "linear_up" in n)
