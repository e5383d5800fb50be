"""What the tests of a run are going to judge: written down when they are collected, by a worker of xdist for the controller."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest.compat import NOTSET

from mpcheck._files.io import write_text
from mpcheck.records.record import Planned

PLACES: pytest.StashKey[dict[str, int]] = pytest.StashKey()
SUITE: pytest.StashKey[str] = pytest.StashKey()
NARROWED: pytest.StashKey[Mapping[str, list[str]]] = pytest.StashKey()
OUTLOOK: pytest.StashKey[str] = pytest.StashKey()
PLAN: pytest.StashKey[dict[str, Planned]] = pytest.StashKey()
FILE = "mpcheck_plan"
"""Of ``workerinput``: where the first worker writes the plan."""


def add(config: pytest.Config, suite: str, planned: Sequence[Planned]) -> None:
    """Add work of a session, in its order; the tests that do it are told apart by their parameter, see :func:`piece_of`."""
    plan, places = config.stash.setdefault(PLAN, {}), config.stash.setdefault(PLACES, {})
    config.stash[SUITE] = suite
    for one in planned:
        places.setdefault(one.key, len(places))
        plan[one.key] = one


def piece_of(item: pytest.Item) -> Any:
    """The piece of work that a test does, :class:`mpcheck.sessions.pieces.Piece`; None of a test that is not a suite's."""
    parameters: Mapping[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    piece = parameters.get("mp_piece", NOTSET)  # NOTSET: the one test of an empty list of parameters
    return None if piece is NOTSET else piece


def group_of(item: pytest.Item) -> str | None:
    """What a test shares something expensive with; None where it stands alone."""
    marker = item.get_closest_marker("xdist_group")
    return None if marker is None else str((*marker.args, *marker.kwargs.values())[0])


def weight_of(item: pytest.Item) -> float:
    """What a test takes beside the others; see :class:`mpcheck.sessions.pieces.Piece`."""
    return float(getattr(piece_of(item), "weight", 1.0))


def describe(config: pytest.Config, items: Sequence[pytest.Item], left: Sequence[str]) -> dict[str, Any]:
    """The plan as data: of the tests that will run.

    Args:
        left: keys of the work that another shard does.
    """
    plan = config.stash.get(PLAN, {})
    ours = {item.nodeid: piece.planned.key for item in items if (piece := piece_of(item)) is not None}
    chosen, away = set(ours.values()), set(left)
    left_out: Mapping[str, list[str]] = config.stash[NARROWED] if NARROWED in config.stash else {}  # noqa: SIM401 - `get` has no such type
    narrowed = {**left_out}
    if unselected := [key for key in plan if key not in chosen and key not in away]:
        narrowed["tests"] = unselected
    return {
        "suite": config.stash.get(SUITE, ""), "keys": ours, "places": config.stash.get(PLACES, {}), "narrowed": narrowed,
        "outlook": config.stash.get(OUTLOOK, ""), "planned": [planned.model_dump() for key, planned in plan.items() if key in chosen],
    }  # fmt: skip


def write(path: str, plan: Mapping[str, Any]) -> None:
    """By a worker, for the controller; another worker's, which is the same, may be there already."""
    write_text(Path(path), json.dumps(plan))


def read(path: str) -> dict[str, Any]:
    """What a worker wrote."""
    plan: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return plan
