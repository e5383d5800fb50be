"""Name every block of a running model in torch's profiler: a record range around each module and each step that is no module."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.profiler import record_function

from mpcheck.adapters.blocks import composite_modules, leaf_modules
from mpcheck.adapters.steps import recorded
from mpcheck.adapters.tree import flatten

PREFIX = "mpcheck/"
"""Of every range's name in a trace: ``mpcheck/interactions.0.conv_tp``."""


class Ranges:
    """Ranges named as the blocks are, ``NAME@2`` for a second call within one call of the model.

    Attributes:
        dtypes: of the floating-point outputs of every block, by name, where they were asked for.
    """

    def __init__(self, model: torch.nn.Module, watch_dtypes: bool = False) -> None:
        """Args:
        model: a MACE model on any backend.
        watch_dtypes: look at what the blocks return; leave it off while time is measured.
        """
        self.model = model
        self.watch_dtypes = watch_dtypes
        self.dtypes: dict[str, set[str]] = {}
        self._leaves = {path for path, _ in leaf_modules(model)}
        self._calls: dict[str, int] = {}
        self._open: list[tuple[str, str, record_function]] = []  # (path, name of the call, range)

    def _enter(self, path: str) -> None:
        self._calls[path] = self._calls.get(path, 0) + 1
        name = path if self._calls[path] == 1 else f"{path}@{self._calls[path]}"
        block = record_function(PREFIX + name)
        self._open.append((path, name, block))
        block.__enter__()

    def _leave(self, output: Any) -> None:
        _, name, block = self._open.pop()
        block.__exit__(None, None, None)
        if self.watch_dtypes:
            tensors: dict[str, torch.Tensor] = {}
            with contextlib.suppress(TypeError):
                flatten(output, "out", tensors)
            dtypes = {str(t.dtype).removeprefix("torch.") for t in tensors.values() if t.is_floating_point()}
            self.dtypes.setdefault(name, set()).update(dtypes)

    def _step(self, kind: str, arguments: dict[str, Any], call: Callable[[], Any]) -> Any:
        path = self._open[-1][0] if self._open else ""
        if path in self._leaves or ("dim_size" not in arguments and kind != "edge_vectors"):
            return call()  # inside a leaf, or an upstream helper that is no step of the model
        self._enter(f"{path}.{kind}" if path else kind)
        output = None
        try:
            output = call()
        finally:
            self._leave(output)
        return output

    @contextlib.contextmanager
    def marking(self) -> Iterator[None]:
        """Ranges on while the block lasts, and off again; whatever a failing model left open is closed."""
        handles = [self.model.register_forward_pre_hook(lambda module, args: self._calls.clear())]
        try:
            for path, module in [*leaf_modules(self.model), *composite_modules(self.model)]:
                handles.append(module.register_forward_pre_hook(lambda m, args, path=path: self._enter(path)))
                handles.append(module.register_forward_hook(lambda m, args, output: self._leave(output)))
            with recorded(self._step):
                yield
        finally:
            for handle in handles:
                handle.remove()
            while self._open:
                self._open.pop()[2].__exit__(None, None, None)
