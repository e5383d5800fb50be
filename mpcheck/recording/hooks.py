"""Hooks on a model of somebody's, while it is recorded and no longer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck.adapters.blocks import composite_modules, leaf_modules
from mpcheck.recording.calls import Recorder

HELD = ("_orig_mod", "module", "model")
"""Where torch.compile, data-parallel wrappers and others keep the model."""
READ = ("atomic_numbers", "r_max")


class Hook:
    """A hook that a copy of the model does not take along: copied or pickled, as for a checkpoint, it is one that does nothing."""

    def __init__(self, call: Callable[..., None]) -> None:
        self.call = call

    def __call__(self, *args: Any) -> None:
        """Pass on what torch tells; never a result, so that nothing is changed."""
        self.call(*args)

    def __reduce__(self) -> tuple[Any, ...]:
        """Of Python's own modules, so that what was saved needs nothing of mpcheck."""
        return getattr, (contextlib.nullcontext(), "__exit__")


def unwrapped(given: Any) -> tuple[torch.nn.Module, torch.nn.Module]:
    """What is called with a graph, and the MACE model in it.

    Raises:
        InputError: none, or one that takes no hooks.
    """
    models = getattr(given, "models", None)
    called = models[0] if not isinstance(given, torch.nn.Module) and isinstance(models, (list, tuple)) and models else given
    if not isinstance(called, torch.nn.Module):
        raise InputError(f"capture: {type(given).__name__} is no MACE model and no calculator of one; give the model, or a MACECalculator")
    inner = called
    _refuse_scripted(called)
    while not all(hasattr(inner, name) for name in READ) or "_orig_mod" in inner._modules:
        held = next((inner._modules[name] for name in HELD if inner._modules.get(name) is not None), None)
        if held is None:
            raise InputError(f"capture: {type(called).__name__} is no MACE model (it has no atomic_numbers and r_max); give one")
        inner = held
        _refuse_scripted(inner)
    for one in (called, inner):
        if getattr(one, "_compiled_call_impl", None) is not None:
            raise InputError("capture: a model compiled in place takes no hooks; compile it by torch.compile(model), or record it uncompiled")
    return called, inner


def _refuse_scripted(model: torch.nn.Module) -> None:
    if isinstance(model, torch.jit.ScriptModule):
        raise InputError("capture: a scripted model takes no hooks; record the model that it was made of")


@contextlib.contextmanager
def hooked(called: torch.nn.Module, model: torch.nn.Module, recorder: Recorder) -> Iterator[None]:
    """Hooks on, and off again. What is compiled has none on its blocks: they would be compiled with it."""
    compiled = called is not model and "_orig_mod" in called._modules
    with contextlib.ExitStack() as stack:

        def on(handle: Any) -> None:
            stack.callback(handle.remove)

        # a model's own hooks may give it another graph: the last one sees what it is given
        on(called.register_forward_pre_hook(Hook(lambda module, args, kwargs: recorder.begin(module is called, args, kwargs)), with_kwargs=True))
        on(called.register_forward_hook(Hook(lambda module, *_: recorder.end(module is called)), always_call=True))
        for path, module in () if compiled else (*leaf_modules(model), *composite_modules(model)):
            if not isinstance(module, torch.jit.ScriptModule):
                on(module.register_forward_pre_hook(Hook(_of(path, recorder)), with_kwargs=True))
        yield


def _of(path: str, recorder: Recorder) -> Callable[..., None]:
    return lambda module, args, kwargs: recorder.block(path, module, args, kwargs)
