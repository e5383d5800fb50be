"""All sessions: those in folders of this package, and those that others register by the entry point ``mpcheck.sessions``."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from mpcheck import sessions as package
from mpcheck._errors import InputError
from mpcheck.sessions.contract import SessionSpec

GROUP = "mpcheck.sessions"


@cache
def sessions() -> dict[str, SessionSpec]:
    """Every session by its name, in the order in which they are shown."""
    folders = [import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__) if m.ispkg]
    specs = [module.SESSION for module in folders if hasattr(module, "SESSION")]
    specs += [point.load() for point in entry_points(group=GROUP)]
    return {spec.name: spec for spec in sorted(specs, key=lambda spec: (spec.order, spec.name))}


def get(name: str) -> SessionSpec:
    """A session.

    Raises:
        InputError: unknown; lists the known ones.
    """
    known = sessions()
    if name not in known:
        raise InputError(f"unknown session {name!r}; choose from {', '.join(known)}")
    return known[name]


def session_of_check(check: str) -> SessionSpec | None:
    """The session that a check belongs to."""
    return next((spec for spec in sessions().values() if check in spec.checks), None)
