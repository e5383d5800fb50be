"""The same model and policy, run in one of the ways that promise more speed: compiled, as a CUDA graph, as TorchScript.

Each takes the place of upstream's model inside of the policy's, so that casts of inputs and energies that are summed apart stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch

from mpcheck._raised import Raised, attempt_unless_refused
from mpcheck._unsupported import Unsupported, no_device
from mpcheck.adapters.compiler import refused
from mpcheck.adapters.compiling import Compiled
from mpcheck.adapters.scripting import Scripted
from mpcheck.bench.gpu.graph import GraphTimer
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.policy.running.applied import PolicyModel

Variant = Literal["", "compile", "cudagraph", "script"]
PLAIN: Variant = ""
VARIANTS: tuple[Variant, ...] = (PLAIN, "compile", "cudagraph", "script")


class Graphed(torch.nn.Module):
    """A model whose work on the device is captured in one CUDA graph, and replayed for every structure of the same sizes.

    Attributes:
        model: upstream's.
    """

    def __init__(self, model: torch.nn.Module, capture: Callable[[Callable[[], Any]], Any]) -> None:
        """Args:
        capture: makes a graph of a call, see :meth:`mpcheck.bench.gpu.graph.GraphTimer.captured`.
        """
        super().__init__()
        self.model = model
        self._capture = capture
        self._held: dict[tuple[Any, ...], tuple[dict[str, torch.Tensor], dict[str, Any], Any]] = {}

    def forward(self, data: dict[str, torch.Tensor], **flags: Any) -> dict[str, Any]:
        """The model's outputs, in memory of their own."""
        key = (*((n, tuple(t.shape), t.dtype) for n, t in data.items()), *sorted(flags.items()))
        if key not in self._held:
            inputs = {n: t.detach().clone() for n, t in data.items()}
            outputs: dict[str, Any] = {}

            def call() -> None:
                outputs.update(self.model({n: t.clone() for n, t in inputs.items()}, **flags))

            self._held[key] = (inputs, outputs, self._capture(call))
        inputs, outputs, graph = self._held[key]
        for name, tensor in inputs.items():
            tensor.copy_(data[name])
        graph.replay()
        return {n: t.detach().clone() if isinstance(t, torch.Tensor) else t for n, t in outputs.items()}


def varied(
    model: PolicyModel, variant: Variant, device: torch.device, *, head: str = "", whole: bool = True, backend: str = "inductor"
) -> PolicyModel:
    """A policy's model with its inner one in a variant; the parameters ask for no gradients, as in MACE's calculator.

    Args:
        model: may not be used any more. head: of several, by name. whole, backend: of compilation, see
            :class:`mpcheck.adapters.compiling.Compiled`.

    Raises:
        UnsupportedError: it cannot be made so.
        BaseException: whatever upstream raises.
    """
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    if variant == "compile":
        model.model = Compiled(model.model, whole, backend=backend)
    elif variant == "script":
        model.model = _scripted(model, head)
    elif variant == "cudagraph":
        if device.type != "cuda":
            raise UnsupportedError(no_device())
        model.model = Graphed(model.model, lambda call: GraphTimer(device, repeats=1).captured(call))  # a timer holds one graph
    return model


def _scripted(model: PolicyModel, head: str) -> Scripted:
    """Raises:
    UnsupportedError: TorchScript cannot compile it: what a policy puts around a block is plain Python.
    """
    made = attempt_unless_refused(lambda: Scripted(model.model, head, interaction=model.apart is not None))
    if isinstance(made, Raised):
        raise UnsupportedError(Unsupported("no-operation", f"TorchScript cannot compile it: {made.text}")) from made.error
    return made


def first_call(model: torch.nn.Module, graph: Mapping[str, torch.Tensor], flags: Mapping[str, bool]) -> None:
    """Make the call in which a variant compiles, so that what it cannot do is known before anything is timed.

    Raises:
        UnsupportedError: a compiler cannot do it; of the code ``raised`` where judged code went wrong.
    """
    told = attempt_unless_refused(lambda: model({n: t.clone() for n, t in graph.items()}, **flags))
    if not isinstance(told, Raised):
        return
    if isinstance(told.error, UnsupportedError):
        raise told.error
    why = (
        Unsupported("no-operation", f"cannot run it: {told.text}")
        if told.missing or refused(told.error)
        else Unsupported("raised", f"raised: {told.text}")
    )
    raise UnsupportedError(why) from told.error


def moved(graph: Mapping[str, torch.Tensor], model: torch.nn.Module, device: torch.device) -> dict[str, torch.Tensor]:
    """A float64 graph on the device, in the type that a model is given its inputs in."""
    kind = next((p.dtype for p in model.parameters()), torch.float64)
    return {n: t.detach().to(device, kind if t.is_floating_point() else None).clone() for n, t in graph.items()}
