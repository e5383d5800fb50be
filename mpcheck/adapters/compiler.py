"""A compiler for Dynamo that can tell whether what it compiled ran: torch falls back to plain Python in silence, or with a warning.

It hands graphs on to torch's own, and notes what it was given and each run of what came out.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.upstream import environment_restored

INDUCTOR = "inductor"
TRACERS = ("torch._dynamo", "torch._inductor", "torch.fx", "torch._functorch")
"""Packages whose errors say that a compiler cannot do something, as against judged code that went wrong."""
STRICT = {"emulate_precision_casts": True, "eager_numerics.division_rounding": True, "eager_numerics.disable_ftz": True}
"""Inductor's settings by which compiled code rounds as code that is not: results between fused operations to their own type, divisions to the
nearest, and subnormal numbers as they are."""
FOLDER = "TORCHINDUCTOR_CACHE_DIR"
"""Of the environment: where inductor keeps what it compiled."""
EAGER = "no compiled code ran: torch ran it operation by operation"
MOST_RECOMPILATIONS = 64
"""Of one function, before torch gives up and runs it operation by operation: a block is called in a row with other shapes and types."""


def strict_settings() -> dict[str, Any] | Unsupported:
    """Those of :data:`STRICT`, or that this torch has none."""
    config: Any = importlib.import_module("torch._inductor.config")
    known = {name: value for name, value in STRICT.items() if name in config.get_config_copy()}
    if "emulate_precision_casts" not in known:
        return Unsupported("no-operation", f"torch {torch.__version__} has no strict numerics (torch._inductor.config.emulate_precision_casts)")
    return known


class Compiler:
    """Torch's compiler by name, watched.

    Attributes:
        graphs, operations: how many were compiled, and what they hold. runs: of compiled code, all graphs together.
    """

    def __init__(self, name: str = INDUCTOR, settings: dict[str, Any] | None = None) -> None:
        """Args:
        name: of a backend of ``torch.compile``. settings: of inductor, while it compiles.
        """
        self.name = name
        self.settings = settings or {}
        self.graphs = self.operations = self.runs = 0

    def __call__(self, graph: torch.fx.GraphModule, examples: Sequence[Any], **more: Any) -> Callable[..., Any]:
        """What Dynamo asks of a compiler: a function that computes what a graph does."""
        before = _compiled()
        compiled = self._function()(graph, examples, **more)
        self.graphs += 1
        self.operations += sum(node.op in ("call_function", "call_method", "call_module") for node in graph.graph.nodes)
        real = self.name != INDUCTOR or _compiled() != before

        def run(*args: Any) -> Any:
            self.runs += real
            return compiled(*args)

        return run

    def _function(self) -> Callable[..., Any]:
        if self.name == INDUCTOR:
            inductor: Any = importlib.import_module("torch._inductor.compile_fx")
            return lambda graph, examples, **more: inductor.compile_fx(graph, examples, config_patches=self.settings or None, **more)
        registry: Any = importlib.import_module("torch._dynamo.backends.registry")
        found: Callable[..., Any] = registry.lookup_backend(self.name)
        return found

    @property
    def note(self) -> str:
        """``inductor: 1 graph of 1124 operations``; empty before anything was compiled."""
        graphs = f"{self.graphs} graph{'s' if self.graphs != 1 else ''}"
        return f"{self.name}: {graphs} of {self.operations} operations" if self.graphs else ""


def _compiled() -> int:
    """How many graphs inductor has compiled in this process, or found in its cache."""
    counters: Any = importlib.import_module("torch._dynamo.utils").counters
    return sum(int(n) for of in (INDUCTOR, "aot_autograd") for name, n in counters[of].items() if "cache" in name or name == "total")


@contextlib.contextmanager
def for_blocks() -> Iterator[None]:
    """Torch's settings while one block is called: it may be called often, and differentiated more than once."""
    import torch._dynamo.config
    import torch._functorch.config

    limits = {n: MOST_RECOMPILATIONS for n in ("recompile_limit", "accumulated_recompile_limit") if hasattr(torch._dynamo.config, n)}
    dynamo: Any = torch._dynamo.config
    functorch: Any = torch._functorch.config
    with dynamo.patch(limits), functorch.patch(donated_buffer=False):
        yield


@contextlib.contextmanager
def kept_at(folder: Path) -> Iterator[None]:
    """Inductor keeps what it compiles in a folder, where the user has not named one: the next run compiles nothing anew."""
    places: Any = importlib.import_module("torch._inductor.runtime.cache_dir_utils")
    with environment_restored(FOLDER):
        if os.environ.get(FOLDER, "") in ("", places.default_cache_dir()):  # torch itself writes its own there once it has asked
            os.environ[FOLDER] = str(folder)
        yield


def refused(error: BaseException) -> bool:
    """Whether a compiler says that it cannot do something, as against what it found to be wrong in the traced code itself."""
    import torch._dynamo.exc

    return type(error).__module__.startswith(TRACERS) and not isinstance(error, torch._dynamo.exc.TorchRuntimeError)
