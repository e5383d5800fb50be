"""A model through ``torch.compile``, by the recipe of upstream's calculator (``compile_mode``).

The recipe builds a model anew in plain Python, because Dynamo does not look into e3nn's TorchScript, traces what has no control flow, and
differentiates inside of what is compiled. Two of its steps stay behind in the process upstream; they are put back here.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.compiler import EAGER, Compiler, for_blocks, refused
from mpcheck.adapters.tree import map_nested
from mpcheck.adapters.upstream import default_dtype, quiet

REBUILDS = ("ScaleShiftMACE",)
"""Classes that upstream's ``extract_config_mace_model`` can describe; of another it returns an error as if it were a description."""
MODE = "default"


@contextlib.contextmanager
def tracing() -> Iterator[None]:
    """Differentiation is traced into the graph, as upstream's ``configure_autograd_for_compile`` has it; put back at the end."""
    import torch._dynamo
    from torch._dynamo import trace_rules

    compiling: Any = importlib.import_module("mace.tools.compile")
    rules: Any = trace_rules
    function, config = id(torch.autograd.grad), torch._dynamo.config
    before = [function in ids.function_ids for ids in (rules._allowed_callable_ids, rules._disallowed_callable_ids)]
    flag = getattr(config, "trace_autograd_ops", None)
    levels = {name: logging.getLogger(name).level for name in ("torch._dynamo", "torch._inductor")}
    try:
        for name in levels:
            logging.getLogger(name).setLevel(logging.ERROR)
        compiling.configure_autograd_for_compile(allow_autograd=True)
        yield
    finally:
        for ids, was in zip((rules._allowed_callable_ids, rules._disallowed_callable_ids), before, strict=True):
            (ids.add if was else ids.remove)(function)
        if flag is not None:
            config.trace_autograd_ops = flag
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextlib.contextmanager
def traced(device: torch.device) -> Iterator[None]:
    """What is compiled inside is traced, and on a CPU run as traced: code for a processor takes minutes. Dynamo's caches are emptied before
    and after.
    """
    import torch._dynamo

    original = torch.compile

    def compile_traced(model: Any, **settings: Any) -> Any:
        if device.type == "cpu":
            settings = {**{n: v for n, v in settings.items() if n != "mode"}, "backend": "eager"}
        return original(model, **settings)

    torch._dynamo.reset()
    torch.compile = compile_traced  # type: ignore[assignment]
    try:
        with plain_python():
            yield
    finally:
        torch.compile = original
        torch._dynamo.reset()


@contextlib.contextmanager
def plain_python() -> Iterator[None]:
    """e3nn's modules that are made inside stay plain Python."""
    e3nn: Any = importlib.import_module("e3nn")
    before = e3nn.get_optimization_defaults()["jit_script_fx"]
    e3nn.set_optimization_defaults(jit_script_fx=False)
    try:
        yield
    finally:
        e3nn.set_optimization_defaults(jit_script_fx=before)


def rebuilt(model: torch.nn.Module) -> torch.nn.Module | Unsupported:
    """A float64 e3nn model made anew by upstream's ``extract_model``, in plain Python and with the same weights.

    Under float64 as torch's default dtype: the calculator makes the model under whatever is set, and weights that are copied into one of
    float32 lose half of their digits.

    Raises:
        BaseException: whatever upstream raises.
    """
    if type(model).__name__ not in REBUILDS:
        return Unsupported("no-operation", f"upstream's recipe rebuilds {', '.join(REBUILDS)} only, not {type(model).__name__}")
    scripts: Any = importlib.import_module("mace.tools.scripts_utils")
    with quiet(), plain_python(), default_dtype(torch.float64), torch.random.fork_rng(devices=[]):
        made: torch.nn.Module = scripts.extract_model(model)
    missing = [n for n, t in model.state_dict().items() if n not in made.state_dict() or not torch.equal(made.state_dict()[n].to(t), t)]
    if missing:  # upstream loads what fits and says nothing of the rest
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return Unsupported("no-operation", f"upstream's recipe does not take over {missing[0]}{more}")
    return made.eval()


class Compiled(torch.nn.Module):
    """A compiled model, called as the calculator does it: what is differentiated asks for gradients before, and ``training`` keeps the graph.

    Attributes:
        model: torch's wrapper. instead: what computed the last call in place of compiled code; empty where that did, or nobody watches.
    """

    def __init__(self, model: torch.nn.Module, whole: bool = True, mode: str = MODE, backend: str | Compiler = "inductor") -> None:
        """Nothing is compiled before the first call.

        Args:
            model: what is compiled; its modules may be replaced. whole: in one graph, or an error. mode, backend: torch's.
        """
        super().__init__()
        self.instead = ""
        self.watched = backend if isinstance(backend, Compiler) else None
        with tracing(), plain_python():
            compiling: Any = importlib.import_module("mace.tools.compile")
            settings: dict[str, Any] = {"backend": backend, "fullgraph": whole} | ({"mode": mode} if backend == "inductor" else {})
            made: Any = torch.compile(compiling.simplify(model), **settings)
        self.model: torch.nn.Module = made
        for parameter in self.parameters():
            parameter.requires_grad_(False)

    def forward(self, data: dict[str, torch.Tensor], compute_force: bool = True, compute_stress: bool = False, **flags: Any) -> dict[str, Any]:
        """The model's outputs."""
        given = {**data, **{n: data[n].detach().requires_grad_(True) for n in ("node_attrs", "positions")}}
        before = self.watched.runs if self.watched is not None else -1
        with tracing(), quiet():
            out: dict[str, Any] = self.model(given, compute_force=compute_force, compute_stress=compute_stress, **(flags | {"training": True}))
        self.instead = EAGER if self.watched is not None and self.watched.runs == before else ""
        return {n: t.detach() if isinstance(t, torch.Tensor) else t for n, t in out.items()}


UNTRACED = "this module alone is not currently implemented for the compiler"
"""Of a module that Dynamo cannot trace, in words by which records say `unsupported`."""


def compiled_block(module: torch.nn.Module, compiler: Compiler, whole: bool, tell: Callable[[str], None]) -> Callable[..., Any]:
    """A function that calls one module through ``torch.compile``; nothing is compiled before its first call.

    Args:
        whole: in one graph, or an error. tell: is told after each call what computed in place of compiled code, see :attr:`Compiled.instead`.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        return module(*args, **kwargs)

    # Dynamo keeps what it compiled by the object of a function's code: with one of its own no block uses up another's recompilations
    call.__code__ = call.__code__.replace(co_name=f"call_{id(compiler)}")
    made: Any = torch.compile(call, backend=compiler, fullgraph=whole)

    def run(*args: Any, **kwargs: Any) -> Any:
        before, recorded = compiler.runs, torch.is_grad_enabled()
        if not recorded:  # by the code that is differentiated elsewhere, so that one is compiled and not two
            args, kwargs = map_nested(_leaf, args), map_nested(_leaf, kwargs)
        with tracing(), quiet(), for_blocks(), torch.enable_grad():
            try:
                result = made(*args, **kwargs)
            except Exception as error:
                if not refused(error):
                    raise
                # as torch says it of its operations: Dynamo cannot ask e3nn's irreps for a length, and in whole models upstream rewrites these
                raise NotImplementedError(f"{type(error).__name__}: {UNTRACED}") from error
        tell(EAGER if compiler.runs == before else "")
        return result if recorded else map_nested(torch.Tensor.detach, result)

    return run


def _leaf(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().requires_grad_(tensor.is_floating_point())
