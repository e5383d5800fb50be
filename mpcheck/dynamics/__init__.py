"""Molecular dynamics of a model in a policy: protocols, what is observed, and statistics that decide.

``mpcheck.dynamics.read(folder)`` gives the frames of a run as ASE's atoms. It is imported when it is first used, so that reading a protocol needs
no more than its file.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if name == "read":
        return import_module("mpcheck.dynamics.reading").read
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
