"""The plan of a run: of the tests that will run, whoever collected them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.compat import NOTSET

from mpcheck.pytest_plugin import plan
from mpcheck.records.record import Planned
from mpcheck.sessions.pieces import Piece

WORK = [Planned(key=key, check="layout", subject=key) for key in ("a", "b", "c", "d")]


def item(planned: Planned) -> Any:
    piece = Piece(planned, planned.key, "group", None)
    return SimpleNamespace(nodeid=f"t.py::t[{planned.key}]", callspec=SimpleNamespace(params={"mp_piece": piece}))


@pytest.fixture
def config() -> Any:
    made = SimpleNamespace(stash=pytest.Stash())
    plan.add(made, "symmetry", WORK)  # type: ignore[arg-type]
    return made


def test_what_is_deselected_is_told_and_what_another_shard_does_is_not(config: Any) -> None:
    foreign: Any = SimpleNamespace(nodeid="other.py::t")
    config.stash[plan.NARROWED] = {"blocks": ["x"]}
    told = plan.describe(config, [foreign, item(WORK[2]), item(WORK[0])], left=["b"])
    assert told["suite"] == "symmetry" and told["keys"] == {"t.py::t[c]": "c", "t.py::t[a]": "a"}
    assert [row["key"] for row in told["planned"]] == ["a", "c"], "in the order of the plan"
    assert told["places"] == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert told["narrowed"] == {"blocks": ["x"], "tests": ["d"]}


def test_the_whole_plan_is_narrowed_by_nothing(config: Any) -> None:
    assert plan.describe(config, list(map(item, WORK)), left=[])["narrowed"] == {}


def test_more_work_keeps_its_place_behind_what_is_there(config: Any) -> None:
    plan.add(config, "symmetry", [WORK[1], Planned(key="e", check="mix")])
    assert config.stash[plan.PLACES] == {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}


def test_a_workers_plan_reads_back(config: Any, tmp_path: Path) -> None:
    told = plan.describe(config, list(map(item, WORK)), left=[])
    plan.write(str(tmp_path / "plan.json"), told)
    assert plan.read(str(tmp_path / "plan.json")) == told
    assert [Planned.model_validate(row) for row in told["planned"]] == WORK


def test_a_test_without_a_piece_does_none() -> None:
    empty: Any = SimpleNamespace(nodeid="t", callspec=SimpleNamespace(params={"mp_piece": NOTSET}))
    assert plan.piece_of(empty) is None
    assert plan.piece_of(SimpleNamespace(nodeid="t")) is None  # type: ignore[arg-type]
    assert plan.piece_of(item(WORK[0])).planned is WORK[0]
