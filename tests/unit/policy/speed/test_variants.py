"""Variants of a model: made from it, computing what it computes, or refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mpcheck import _torch_state
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.twin import twin
from mpcheck.adapters.compiling import Compiled, rebuilt, tracing
from mpcheck.adapters.graph import make_graph
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.rules import get_policy
from mpcheck.policy.running.applied import apply
from mpcheck.policy.speed.agreement import Noise, both_parities, compared, rounding
from mpcheck.policy.speed.variants import Graphed, first_call, moved, varied
from mpcheck.systems.resolve import resolve_system
from tests.unit.checks.uses.small_models import built

CPU = torch.device("cpu")
U = {"float64": 2.0**-53, "float32": 2.0**-24}
ELEMENTS = ["H", "O"]


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return built("ScaleShiftMACE")


@pytest.fixture(scope="module")
def graphs() -> list[dict[str, torch.Tensor]]:
    """A molecule with an odd number of atoms and one with an even number, each for itself."""
    (frame,) = resolve_system("builtin:water", ELEMENTS, 4.0).frames
    odd = frame[: 5 if len(frame) > 5 else len(frame)]
    return [make_graph([f], ELEMENTS, 4.0) for f in both_parities(odd)]


@pytest.fixture(scope="module")
def noise(model: torch.nn.Module, graphs: list[dict[str, torch.Tensor]]) -> Noise:
    return rounding(model, graphs[0])


@pytest.mark.parametrize("policy", ["float64", "float32"])
def test_what_torchscript_compiles_computes_the_same(
    model: torch.nn.Module, graphs: list[dict[str, torch.Tensor]], noise: Noise, policy: str
) -> None:
    plain, scripted = apply(model, get_policy(policy)), varied(apply(model, get_policy(policy)), "script", CPU)
    assert compared(plain, scripted, graphs, noise, U[policy], CPU) == []
    a, b = evaluate(plain, graphs[0]), evaluate(scripted, graphs[0])
    assert torch.allclose(a.interaction, b.interaction, atol=1e-5) and torch.allclose(a.stress, b.stress, atol=1e-7, equal_nan=True)


def test_what_dynamo_compiles_computes_the_same_for_odd_and_even_numbers_of_atoms(graphs: list[dict[str, torch.Tensor]]) -> None:
    small = built("ScaleShiftMACE", max_ell=1, correlation=1, num_interactions=1, radial_MLP=[4])  # a second of tracing for each operation less
    before, flag = _torch_state.read(), torch._dynamo.config.trace_autograd_ops
    anew = rebuilt(small)
    assert isinstance(anew, torch.nn.Module)
    made = varied(apply(anew, get_policy("seeds"), source=small), "compile", CPU, backend="aot_eager")
    plain = apply(small, get_policy("seeds"))
    assert compared(plain, made, graphs, rounding(small, graphs[0]), 2.0**-9, CPU) == []
    assert before.differences(_torch_state.read()) == [] and torch._dynamo.config.trace_autograd_ops == flag
    assert any(p.requires_grad for p in small.parameters())


class LastTwice(torch.nn.Module):
    """What a compiler made of a sum whose number of terms is odd (pytorch issue 178871): the last one is counted twice."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, data: dict[str, torch.Tensor], **flags: Any) -> dict[str, Any]:
        out: dict[str, Any] = self.model(data, **flags)
        odd = data["positions"].shape[0] % 2
        return out | {"energy": out["energy"] + odd * 1e-4 * out["node_energy"][-1].detach()}


@pytest.mark.parametrize("policy", ["float64", "float32"])
def test_a_constant_in_the_energy_of_odd_numbers_of_atoms_is_seen(
    model: torch.nn.Module, graphs: list[dict[str, torch.Tensor]], noise: Noise, policy: str
) -> None:
    plain = apply(model, get_policy(policy))
    told = compared(plain, LastTwice(apply(model, get_policy(policy))), graphs, noise, U[policy], CPU)
    assert len(told) == 1 and "an odd number" in told[0] and "force" not in told[0]


def test_forces_are_compared_apart_and_nan_is_no_agreement(model: torch.nn.Module, graphs: list[dict[str, torch.Tensor]], noise: Noise) -> None:
    class Spoilt(LastTwice):
        def forward(self, data: dict[str, torch.Tensor], **flags: Any) -> dict[str, Any]:
            out: dict[str, Any] = self.model(data, **flags)
            forces = out["forces"].clone()
            forces[0, 0] = torch.nan
            return out | {"forces": forces}

    told = compared(model, Spoilt(twin(model)), graphs[:1], noise, U["float64"], CPU)
    assert len(told) == 1 and told[0].startswith("a force differs by nan")


def test_rounding_is_what_float32_makes_of_it(model: torch.nn.Module, graphs: list[dict[str, torch.Tensor]], noise: Noise) -> None:
    exact, rounded = evaluate(model, graphs[0]), evaluate(apply(model, get_policy("float32")), graphs[0])
    error = float((rounded.forces - exact.forces).abs().max())
    assert 0.05 * noise.forces < error / U["float32"] < 20 * noise.forces  # the same order: weights round, too, and draws are few


def test_a_model_made_anew_has_all_weights_in_float64_whatever_is_torch_s_default(model: torch.nn.Module) -> None:
    anew = rebuilt(model)
    assert isinstance(anew, torch.nn.Module)
    assert torch.get_default_dtype() == torch.float32
    assert all(torch.equal(anew.state_dict()[n], t) for n, t in model.state_dict().items())
    assert isinstance(rebuilt(built("MACE")), Unsupported)


def test_tracing_is_put_back_also_where_it_raised() -> None:
    before = torch._dynamo.config.trace_autograd_ops
    seen: list[bool] = []

    def broken() -> None:
        with tracing():
            seen.append(torch._dynamo.config.trace_autograd_ops)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert seen == [True]
    assert torch._dynamo.config.trace_autograd_ops == before


def test_a_cuda_graph_is_refused_on_a_cpu(model: torch.nn.Module) -> None:
    with pytest.raises(UnsupportedError, match="no CUDA device"):
        varied(apply(model, get_policy("float32")), "cudagraph", CPU)


class Replayed:
    """A graph as a device has it: it writes into the memory of its capture."""

    def __init__(self, call: Any) -> None:
        self.call, self.replays = call, 0
        call()

    def replay(self) -> None:
        self.replays += 1
        self.call()


def test_a_captured_model_gets_new_numbers_and_captures_anew_for_new_sizes(model: torch.nn.Module, graphs: list[dict[str, torch.Tensor]]) -> None:
    captured: list[Replayed] = []

    def capture(call: Any) -> Replayed:
        captured.append(Replayed(call))
        return captured[-1]

    graphed = Graphed(twin(model), capture)
    moved_by = {**graphs[0], "positions": graphs[0]["positions"] * 1.001}
    for graph in (graphs[0], moved_by, graphs[1]):
        assert torch.equal(evaluate(graphed, graph).forces, evaluate(model, graph).forces)
    assert [g.replays for g in captured] == [2, 1]


def test_judged_code_that_raises_is_told_from_a_compiler_that_cannot(model: torch.nn.Module, graphs: list[dict[str, torch.Tensor]]) -> None:
    class Broken(torch.nn.Module):
        def forward(self, data: Any, **flags: Any) -> Any:
            raise KeyError("bfloat16")

    class Untraceable(torch.nn.Module):
        def forward(self, data: Any, **flags: Any) -> Any:
            torch._dynamo.graph_break()
            return {"energy": data["positions"].sum()}

    given = moved(graphs[0], model, CPU)
    with pytest.raises(UnsupportedError, match=r"raised: KeyError") as broken:
        first_call(Broken(), given, {"compute_force": True})
    assert broken.value.why.code == "raised"
    with pytest.raises(UnsupportedError) as refused:
        first_call(torch.compile(Untraceable(), fullgraph=True, backend="eager"), given, {"compute_force": True})
    assert refused.value.why.code == "no-operation"


def test_compiled_parameters_ask_for_no_gradients(model: torch.nn.Module) -> None:
    assert not any(p.requires_grad for p in Compiled(twin(model), backend="aot_eager").parameters())
