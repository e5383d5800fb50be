"""Classes that a model can be made of, by name: what an entry about upstream may call a trait."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
from functools import cache

import torch

from mpcheck.adapters.upstream import e3nn_nn, mace, o3, quiet


@cache
def upstream_classes() -> frozenset[str]:
    """Names of the modules of mace, e3nn and torch, and of cuEquivariance where it is installed."""
    names = set(_classes(e3nn_nn)) | set(_classes(o3)) | set(_classes(torch.nn))
    for info in pkgutil.iter_modules(mace.modules.__path__):
        with quiet():
            try:
                names |= _classes(importlib.import_module(f"mace.modules.{info.name}"))
            except ImportError:  # what needs a package that is not installed
                continue
    with contextlib.suppress(ImportError):
        names |= _classes(importlib.import_module("cuequivariance_torch"))
    return frozenset(names)


def _classes(module: object) -> set[str]:
    return {name for name, value in vars(module).items() if inspect.isclass(value) and issubclass(value, torch.nn.Module)}
