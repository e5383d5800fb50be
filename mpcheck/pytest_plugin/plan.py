"""What the tests of a run are going to judge: written down when they are collected, by a worker of xdist for the controller."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest.compat import NOTSET

from mpcheck._files.io import write_text
from mpcheck.records.record import Planned

PLACES: pytest.StashKey[dict[str, int]] = pytest.StashKey()
SUITE: pytest.StashKey[str] = pytest.StashKey()
NARROWED: pytest.StashKey[Mapping[str, list[str]]] = pytest.StashKey()
PLAN: pytest.StashKey[dict[str, Planned]] = pytest.StashKey()
FILE = "mpcheck_plan"
"""Of ``workerinput``: where the first worker writes the plan."""


def add(config: pytest.Config, suite: str, planned: Sequence[Planned]) -> None:
    """Add work of a session, in its order; the tests that do it are told apart by parameters, see :func:`planned_of`."""
    plan, places = config.stash.setdefault(PLAN, {}), config.stash.setdefault(PLACES, {})
    config.stash[SUITE] = suite
    for one in planned:
        places.setdefault(one.key, len(places))
        plan[one.key] = one


def planned_of(item: pytest.Item) -> Planned | None:
    """The work that a test does; None of a test that is not the suite's."""
    from mpcheck.sessions import work

    parameters: Mapping[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    makers: dict[str, Callable[[Any], Planned]] = {
        "cell_key": work.planned_cell, "golden_system": work.planned_golden, "inspection_key": work.planned_inspection,
        "bench_key": work.planned_benchmark,
    }  # fmt: skip
    for name, make in makers.items():
        if name in parameters and parameters[name] is not NOTSET:  # the one test of an empty list of parameters
            return make(parameters[name])
    marker = item.get_closest_marker("mpcheck_plan")
    return work.PLANNED_GONE if marker is not None else None


def describe(config: pytest.Config, items: Sequence[pytest.Item], left: Sequence[str]) -> dict[str, Any]:
    """The plan as data: of the tests that will run.

    Args:
        left: keys of the work that another shard does.
    """
    plan = config.stash.get(PLAN, {})
    ours = {item.nodeid: planned.key for item in items if (planned := planned_of(item)) is not None}
    chosen, away = set(ours.values()), set(left)
    left_out: Mapping[str, list[str]] = config.stash[NARROWED] if NARROWED in config.stash else {}  # noqa: SIM401 - `get` has no such type
    narrowed = {**left_out}
    if unselected := [key for key in plan if key not in chosen and key not in away]:
        narrowed["tests"] = unselected
    return {
        "suite": config.stash.get(SUITE, ""), "keys": ours, "places": config.stash.get(PLACES, {}), "narrowed": narrowed,
        "planned": [planned.model_dump() for key, planned in plan.items() if key in chosen],
    }  # fmt: skip


def write(path: str, plan: Mapping[str, Any]) -> None:
    """By a worker, for the controller; another worker's, which is the same, may be there already."""
    write_text(Path(path), json.dumps(plan))


def read(path: str) -> dict[str, Any]:
    """What a worker wrote."""
    found: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return found
