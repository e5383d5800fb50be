"""Which block is the first to make a value that is no number, forward or backward."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from mpcheck._raised import attempt
from mpcheck.adapters.blocks import composite_modules, leaf_modules
from mpcheck.adapters.calls import forward_signature, named
from mpcheck.adapters.steps import recorded
from mpcheck.adapters.tree import map_nested
from mpcheck.policy.evaluation import Tensors, evaluate

BETWEEN = "between blocks"


@dataclass(frozen=True)
class FirstNonFinite:
    """Where the first value that is no number came from.

    Attributes:
        block: path of a leaf block or name of a step; empty where it came from between blocks. tensor: which of its outputs (``out``), or
            by which of its inputs the gradient. direction: of the pass. text: in words.
    """

    block: str
    tensor: str
    direction: Literal["forward", "backward"]
    text: str


def first_nonfinite(
    model: torch.nn.Module, graph: Tensors, device: torch.device | str = "cpu", periodic: torch.Tensor | None = None
) -> FirstNonFinite | None:
    """Run a model with hooks on its blocks; None where every block's values are numbers.

    Args:
        model: upstream's, or with a policy around it; what it raises is of no interest here.
    """
    watch = _Watch(getattr(model, "model", model))
    with watch.hooks():
        attempt(lambda: evaluate(model, graph, device, periodic))
    return watch.first


def _floats(value: Any, name: str) -> dict[str, torch.Tensor]:
    """Floating-point tensors of a nested value by dotted names."""
    if isinstance(value, torch.Tensor):
        return {name: value} if value.is_floating_point() else {}
    if isinstance(value, (list, tuple)):
        return {k: t for i, item in enumerate(value) for k, t in _floats(item, f"{name}.{i}").items()}
    if isinstance(value, Mapping):
        return {k: t for key, item in value.items() for k, t in _floats(item, f"{name}.{key}").items()}
    return {}


def _bad(tensors: Mapping[str, torch.Tensor]) -> str:
    """The first that is not finite; empty where all are."""
    return next((name for name, t in tensors.items() if not bool(torch.isfinite(t).all())), "")


class _Watch:
    """Remembers the first block whose inputs are numbers and whose results are not; backward, whose outputs' gradients are."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
        self.first: FirstNonFinite | None = None
        self.stack: list[str] = []
        self.leaves = dict(leaf_modules(model))
        self.last = ""

    def _note(self, block: str, tensor: str, direction: Literal["forward", "backward"], text: str) -> None:
        self.first = self.first or FirstNonFinite(block, tensor, direction, text)

    def _arrived(self, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
        if bad := _bad(tensors):
            after = f", after {self.last}" if self.last else ""
            self._note("", bad, "forward", f"{BETWEEN}{after}: {bad} of {name} is no number already")

    def _left(self, name: str, outputs: Mapping[str, torch.Tensor]) -> None:
        self.last = name
        if bad := _bad(outputs):
            self._note(name, bad, "forward", f"{name} makes it: its {bad} is no number, and its inputs are")
        for key, value in outputs.items():
            if value.requires_grad:
                value.register_hook(lambda grad, key=key: self._cotangent(name, key, grad))

    def _cotangent(self, name: str, key: str, grad: torch.Tensor) -> None:
        if _bad({key: grad}):
            self._note("", key, "backward", f"{BETWEEN}, behind {name}: the gradient by its {key} is no number")

    def _gradient(self, name: str, key: str, grad: torch.Tensor) -> None:
        if _bad({key: grad}):
            self._note(
                name, key, "backward", f"{name} makes it in the backward pass: the gradient by its {key} is no number, those by its outputs are"
            )

    def _own(self, name: str, arguments: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
        """Arguments with views of their own, so that a gradient is this block's part alone."""
        names = {id(t): key for key, t in tensors.items()}

        def view(t: torch.Tensor) -> torch.Tensor:
            if not (t.is_floating_point() and t.requires_grad and torch.is_grad_enabled()):
                return t
            own, key = t.view_as(t), names.get(id(t), "input")
            own.register_hook(lambda grad: self._gradient(name, key, grad))
            return own

        return map_nested(view, arguments)

    def _step(self, kind: str, arguments: dict[str, Any], call: Callable[[], Any]) -> Any:
        path = self.stack[-1] if self.stack else ""
        if path in self.leaves:
            return call()
        name = f"{path}.{kind}" if path else kind
        self._arrived(name, _floats(list(arguments.values()), "in"))
        output = call()
        self._left(name, _floats(output, "out"))
        return output

    @contextlib.contextmanager
    def hooks(self) -> Iterator[None]:
        """Hooks on, and off again."""
        handles = []
        try:
            for path, module in (*self.leaves.items(), *composite_modules(self.model)):
                signature = forward_signature(module)

                def pre(m: torch.nn.Module, args: Any, kwargs: Any, path: str = path, s: Any = signature) -> Any:
                    self.stack.append(path)
                    if path not in self.leaves:
                        return None
                    tensors = {k: t for n, value in named(s, args, kwargs)[0].items() for k, t in _floats(value, n).items()}
                    self._arrived(path, tensors)
                    return self._own(path, args, tensors), self._own(path, kwargs, tensors)

                def post(m: torch.nn.Module, args: Any, output: Any, path: str = path) -> None:
                    self.stack.pop()
                    if path in self.leaves:
                        self._left(path, _floats(output, "out"))

                handles.append(module.register_forward_pre_hook(pre, with_kwargs=True))
                handles.append(module.register_forward_hook(post))
            with recorded(self._step):
                yield
        finally:
            for handle in handles:
                handle.remove()
