"""A whole model of which every block and step computes by itself, forward and backward, so that what one does is exactly attributed.

An isolated block records a small graph of its own in its forward pass and differentiates it in its backward pass, both under the modes of its
treatment and no other's. What the model computes elsewhere, the sums of gradients between blocks included, is the subject :data:`BETWEEN`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree

from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.blocks import composite_modules, leaf_modules
from mpcheck.adapters.steps import recorded
from mpcheck.reference.dispatch import DispatchMode

BETWEEN = "between blocks"
Change = Callable[[torch.Tensor], torch.Tensor]
Mode = Callable[[], contextlib.AbstractContextManager[Any]]


def unchanged(t: torch.Tensor) -> torch.Tensor:
    """Nothing is done to a tensor."""
    return t


@dataclass(frozen=True)
class Treatment:
    """What is done to one subject.

    Attributes:
        mode: around its forward pass, and around its backward pass. given: to floating-point arguments and to cotangents. returned: to results and to
            gradients of arguments. weights: to parameters and buffers.
    """

    mode: Mode = contextlib.nullcontext
    given: Change = unchanged
    returned: Change = unchanged
    weights: Change | None = None


class _Suspended(DispatchMode):
    """The mode of what lies between blocks: steps aside while an isolated block runs."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner
        self.depth = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.depth:
            return func(*args, **(kwargs or {}))
        return self.inner.__torch_dispatch__(func, types, args, kwargs)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """While the block runs."""
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1


class _Call:
    """One call of an isolated block: nested arguments as a list of tensors, and back."""

    def __init__(self, function: Callable[..., Any], treatment: Treatment, module: torch.nn.Module | None, aside: Mode) -> None:
        self.function, self.treatment, self.module, self.aside = function, treatment, module, aside

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.values, self.structure = _pytree.tree_flatten((args, kwargs))
        self.places = [i for i, v in enumerate(self.values) if isinstance(v, torch.Tensor) and v.is_floating_point()]
        flat = _Isolated.apply(self, *(self.values[i] for i in self.places))  # type: ignore[no-untyped-call]
        return _pytree.tree_unflatten([flat[v.place] if isinstance(v, _Place) else v for v in self.results], self.result_structure)

    def forward(self, tensors: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Run the block on leaves of a graph of its own."""
        with self.aside():
            self.leaves = [self.treatment.given(t.detach()).detach().requires_grad_(t.requires_grad) for t in tensors]
            values = list(self.values)
            with torch.enable_grad():
                for place, leaf in zip(self.places, self.leaves, strict=True):
                    values[place] = leaf.clone()  # what writes into its argument may not write into a leaf
                args, kwargs = _pytree.tree_unflatten(values, self.structure)
                with self.changed(), self.treatment.mode():
                    out = self.function(*args, **kwargs)
        self.values = []
        results, self.result_structure = _pytree.tree_flatten(out)
        self.outputs = [v for v in results if isinstance(v, torch.Tensor)]
        order = iter(range(len(self.outputs)))
        self.results = [_Place(next(order)) if isinstance(v, torch.Tensor) else v for v in results]
        return tuple(self.treatment.returned(t.detach().clone()) for t in self.outputs)

    def backward(self, cotangents: tuple[torch.Tensor | None, ...]) -> list[torch.Tensor | None]:
        """Differentiate that graph."""
        leaves = [leaf for leaf in self.leaves if leaf.requires_grad]
        with self.aside():
            pairs = [(o, self.treatment.given(c)) for o, c in zip(self.outputs, cotangents, strict=True) if c is not None and o.requires_grad]
            if pairs and leaves:
                with self.changed(), self.treatment.mode():
                    found: tuple[torch.Tensor | None, ...] = torch.autograd.grad(
                        [o for o, _ in pairs], leaves, [c for _, c in pairs], retain_graph=True, allow_unused=True
                    )
            else:
                found = (None,) * len(leaves)
        each = iter([g if g is None else self.treatment.returned(g) for g in found])
        return [next(each) if leaf.requires_grad else None for leaf in self.leaves]

    def changed(self) -> contextlib.AbstractContextManager[None]:
        """The block's own tensors, as the treatment wants them."""
        weights = self.treatment.weights
        return contextlib.nullcontext() if weights is None else replaced(self.module, weights)


@dataclass(frozen=True)
class _Place:
    place: int


class _Isolated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ctx.call = call
        ctx.set_materialize_grads(False)
        out = call.forward(tensors)
        ctx.mark_non_differentiable(*(o for o, own in zip(out, call.outputs, strict=True) if not own.requires_grad))
        return out

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> Any:
        return None, *ctx.call.backward(cotangents)


class Isolation:
    """A model's subjects, and the model with some of them treated.

    Attributes:
        model: upstream's, or a backend's. source: the e3nn model that it was made from. leaves: names of its leaf blocks' modules. steps: those
            seen so far, in the model's order.
    """

    def __init__(self, model: torch.nn.Module, source: torch.nn.Module | None = None) -> None:
        """Args:
        source: the e3nn model whose leaves are the subjects, where ``model`` is a backend's twin of it; a leaf that the twin lacks is none.
        """
        self.model, self.source = model, model if source is None else source
        known = dict(model.named_modules())
        self.leaves = [name for name, _ in leaf_modules(self.source) if name in known]
        self.steps: dict[str, None] = {}
        self._path: list[str] = []
        self._calls: dict[str, int] = {}

    @property
    def subjects(self) -> list[str]:
        """Leaves, the steps seen so far, and what lies between."""
        return [*self.leaves, *self.steps, BETWEEN]

    @contextlib.contextmanager
    def treated(self, treatments: Mapping[str, Treatment], whole: bool = False) -> Iterator[None]:
        """The model with these subjects treated while the block runs.

        Args:
            treatments: by subject. whole: every other block is isolated, too.
        """
        between = treatments.get(BETWEEN)
        every = whole or between is not None
        mode = None if between is None else _Suspended(between.mode())
        aside: Mode = contextlib.nullcontext if mode is None else mode.aside
        with contextlib.ExitStack() as stack:
            if between is not None and between.weights is not None:
                stack.enter_context(self._own(between.weights))
            for name in self.leaves:
                if every or name in treatments:
                    stack.enter_context(self._isolated(name, treatments.get(name, Treatment()), aside))
            stack.enter_context(self._located())
            stack.enter_context(recorded(lambda kind, arguments, call: self._step(kind, arguments, call, treatments, every, aside)))
            if mode is not None:
                stack.enter_context(mode)
            yield

    @contextlib.contextmanager
    def _isolated(self, name: str, treatment: Treatment, aside: Mode) -> Iterator[None]:
        """A module whose ``forward`` is that of an isolated block; everything that others read of it stays."""
        module = self.model.get_submodule(name)
        own, forward = module.__dict__.get("forward"), module.forward

        def isolated(*args: Any, **kwargs: Any) -> Any:
            return _Call(forward, treatment, module, aside)(*args, **kwargs)

        module.__dict__["forward"] = isolated
        try:
            yield
        finally:
            del module.__dict__["forward"]
            if own is not None:
                module.__dict__["forward"] = own

    @contextlib.contextmanager
    def _located(self) -> Iterator[None]:
        """Where in the model a step is called: the path of the innermost block around it."""
        handles = []
        self._path, self._calls = [], {}
        modules = dict(composite_modules(self.model)) | {n: self.model.get_submodule(n) for n in self.leaves}
        try:
            for name, module in modules.items():
                handles.append(module.register_forward_pre_hook(lambda m, args, name=name: self._path.append(name)))
                handles.append(module.register_forward_hook(lambda m, args, out: self._path.pop() and None))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _step(
        self, kind: str, arguments: dict[str, Any], call: Callable[..., Any], treatments: Mapping[str, Treatment], every: bool, aside: Mode
    ) -> Any:
        path = self._path[-1] if self._path else ""
        if path in self.leaves:
            return call()
        name = f"{path}.{kind}" if path else kind
        self._calls[name] = self._calls.get(name, 0) + 1
        name = name if self._calls[name] == 1 else f"{name}@{self._calls[name]}"
        self.steps.setdefault(name)
        if name not in treatments and not every:
            return call()
        return _Call(call, treatments.get(name, Treatment()), None, aside)(**arguments)

    @contextlib.contextmanager
    def _own(self, change: Change) -> Iterator[None]:
        """Parameters and buffers that belong to no leaf, changed."""
        inside = tuple(f"{name}." for name in self.leaves)
        named = [*self.model.named_parameters(), *self.model.named_buffers()]
        own = [t for n, t in named if not n.startswith(inside) and t.is_floating_point()]
        before = [t.data for t in own]
        try:
            for t in own:
                t.data = change(t.data)
            yield
        finally:
            for t, data in zip(own, before, strict=True):
                t.data = data
