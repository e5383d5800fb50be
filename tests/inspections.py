"""Checks of a session, one piece of their work at a time, on whatever model a test has made."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck.judge.context import Context, Inspection, Key
from mpcheck.records.record import Record
from mpcheck.sessions.inspections import chosen, inspect, planned
from mpcheck.sessions.options import resolve
from mpcheck.sessions.registry import get


def checks_of(name: str) -> tuple[Inspection, ...]:
    """The checks of a session that has several."""
    return tuple(resolve(get(name).work).inspections)


def keys(name: str, context: Context, only: Sequence[str] = ()) -> list[Key]:
    """All the work of a session in a run, or that of the checks named."""
    return planned(chosen(checks_of(name), only), context)


def run(name: str, context: Context, key: Key) -> list[Record]:
    """One piece of it."""
    return inspect(checks_of(name), context, key)
