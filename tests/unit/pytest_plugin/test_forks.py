"""Processes forked from the one that has built everything: nothing is lost on the way back, whatever happens to one of them."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mpcheck import _cuda
from mpcheck.pytest_plugin import forks
from mpcheck.pytest_plugin.forks import NAME, Forks, take_over
from mpcheck.records.outcome import outcome
from mpcheck.records.read import read_document
from tests.unit.pytest_plugin.planted import WIDE, by, planted
from tests.unit.whole_runs import ROOT, ended


@pytest.mark.slow
def test_cells_are_shared_out_and_each_is_judged_once(tmp_path: Path, cache: Path) -> None:
    code, said = ended("precision", tmp_path / "out", cache, *WIDE, "-n", "2", site=planted(tmp_path / "seen"))
    found = read_document(tmp_path / "out" / "precision.json")
    assert code == 0 and found is not None, said
    assert {record.key for record in found.records} == {one.key for one in found.plan}
    judged = [path.name.partition("-")[2] for path in (tmp_path / "seen").iterdir()]
    assert len(judged) == len(set(judged)) == sum(one.check == "precision" for one in found.plan)
    assert len(by(tmp_path / "seen")) > 1, "one process did it all"
    assert found.environment.threads == 1


@pytest.mark.slow
def test_a_killed_process_costs_its_cell_alone(tmp_path: Path, cache: Path) -> None:
    what = "if key.block == 'interactions.0.linear_up' and key.direction == 'forward': os.kill(os.getpid(), signal.SIGKILL)"
    code, said = ended("precision", tmp_path / "out", cache, *WIDE, "-n", "2", site=planted(tmp_path / "seen", what))
    found = read_document(tmp_path / "out" / "precision.json")
    assert code == 1 and found is not None and outcome(found) == "fail", said
    reds = [record for record in found.records if record.red]
    assert {r.subject for r in reds} == {"interactions.0.linear_up"}, said
    assert all("died by SIGKILL" in record.reason for record in reds)
    assert {record.key for record in found.records} == {one.key for one in found.plan}, "what came behind it was judged by another process"


class Manager:
    def __init__(self) -> None:
        self.registered: list[Any] = []

    def register(self, plugin: Any, name: str) -> None:
        self.registered.append((plugin, name))


def config_of(*args: str, **option: Any) -> Any:
    options = SimpleNamespace(**{"numprocesses": 3, "dist": "load", "tx": ["popen"] * 3, **option})
    return SimpleNamespace(option=options, args=args, invocation_params=SimpleNamespace(dir=ROOT), pluginmanager=Manager())


def test_a_suite_on_a_processor_is_taken_over() -> None:
    config = config_of("tests/blocks")
    take_over(config)
    assert config.option.dist == "no" and config.option.tx == [] and not config.option.numprocesses
    [(plugin, name)] = config.pluginmanager.registered
    assert isinstance(plugin, Forks) and plugin.workers == 3 and name == NAME


@pytest.mark.parametrize("case", ["no processes", "other tests", "a gpu", "another system", "a worker"])
def test_everything_else_stays_with_xdist(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of("tests/blocks")
    if case == "no processes":
        config = config_of("tests/blocks", numprocesses=None, dist="no", tx=[])
    elif case == "other tests":
        config = config_of("tests/blocks", "tests/unit/test_text.py")
    elif case == "a gpu":
        monkeypatch.setattr(_cuda.CUDA, "is_available", lambda: True, raising=False)
    elif case == "another system":
        monkeypatch.setattr(forks.sys, "platform", "darwin")
    else:
        config.workerinput = {}
    before = dict(vars(config.option))
    take_over(config)
    assert vars(config.option) == before and not config.pluginmanager.registered


def item(group: str, weight: float, nodeid: str = "t") -> Any:
    piece = SimpleNamespace(weight=weight)
    marker = pytest.mark.xdist_group(group).mark
    return SimpleNamespace(nodeid=nodeid, callspec=SimpleNamespace(params={"mp_piece": piece}), get_closest_marker=lambda name: marker)


def test_what_takes_longest_is_begun_first() -> None:
    """A whole model that is begun last leaves every other process idle."""
    items = [item("a", 1.0), item("b", 2.0), item("a", 1.5), item("whole", 100.0)]
    assert forks._groups(items) == deque([deque([3]), deque([0, 2]), deque([1])])


def test_no_more_processes_than_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    config: Any = SimpleNamespace(stash={forks.plugin_run.WORK: ("precision", SimpleNamespace(session=SimpleNamespace(needs=1.5e9)))})
    for free, expected in ((8.1e9, 4), (1e9, 1), (0.0, 1), (float("inf"), os.sys.maxsize)):  # type: ignore[attr-defined]
        monkeypatch.setattr(forks, "free_bytes", lambda free=free: free)
        assert forks._fitting(config) == expected
