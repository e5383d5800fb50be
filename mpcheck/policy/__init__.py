"""Which number format each block of a whole model runs in: policies, what they cost in accuracy, and what they gain in speed.

``mpcheck.policy.apply(model, policy)`` is a model that runs as a policy says; ``mpcheck.policy.calculator(path)`` an ASE calculator around
one that ``mpcheck apply`` has written. Both are imported when they are first used, so that reading a policy needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "apply": "mpcheck.policy.running.applied",
    "calculator": "mpcheck.policy.running.deployed",
    "load": "mpcheck.policy.running.deployed",
    "get_policy": "mpcheck.policy.rules",
}


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
