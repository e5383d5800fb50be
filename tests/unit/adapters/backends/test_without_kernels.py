"""A whole model in a type that its backend has no kernels of is unsupported wherever whole models are cast, and never red for what it raises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpcheck._names import CONVOLVED as NAME
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.oeq import BACKEND
from mpcheck.adapters.backends.protocol import added
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.formats import BFLOAT16, FLOAT32
from mpcheck.judge.context import Key
from mpcheck.policy.rules import builtin, get_policy
from mpcheck.policy.speed.candidates import Candidate, model_of
from mpcheck.sessions.md.runs import Runs, UnsupportedRunError
from mpcheck.sessions.policy.study import Study
from mpcheck.sessions.precision.whole import model_in
from mpcheck.sessions.run import Options, Session
from tests import inspections
from tests.fakes.oeq import posing

SYSTEM = "builtin:water"
SAYS = "OpenEquivariance computes in float64 and float32, not in bfloat16"


@pytest.fixture(scope="module")
def run(cache: Path) -> Iterator[Session]:
    formats = ("float64", FLOAT32.name, BFLOAT16.name)
    with posing(), added(BACKEND):
        yield Session(Options(systems=(SYSTEM,), device="cuda", backends=(NAME,), formats=formats, blocks=("edge_vectors",), cache=cache))


def test_the_whole_model_of_a_run(run: Session) -> None:
    why = model_in(run, NAME, BFLOAT16)
    assert isinstance(why, Unsupported) and (why.code, why.text, why.lacking) == ("no-kernel", SAYS, NAME)
    assert not isinstance(model_in(run, NAME, FLOAT32), Unsupported)


def test_repeated_calls(run: Session) -> None:
    found = inspections.run("audit", run, Key("physics", "repeat", NAME, "float64", SYSTEM))
    narrow = [f for f in found if f.format == BFLOAT16.name]
    assert [(f.verdict, f.reason) for f in narrow] == [("unsupported", SAYS)] and {f.verdict for f in found} <= {"pass", "unsupported"}


def test_equivariance(run: Session) -> None:
    found = inspections.run("symmetry", run, Key("equivariance", "model", NAME, system=SYSTEM))
    assert {f.format: f.verdict for f in found} == {"float64": "pass", FLOAT32.name: "pass", BFLOAT16.name: "unsupported"}, [f.reason for f in found]


def test_policies(run: Session) -> None:
    why = Study(run, SYSTEM).applied(get_policy(narrow()), NAME)
    assert isinstance(why, Unsupported) and why.text == SAYS
    with pytest.raises(UnsupportedError, match="not in bfloat16"):
        model_of(run, Candidate(narrow(), NAME))


def test_trajectories(run: Session, tmp_path: Path) -> None:
    runs: Any = Runs(run, SYSTEM, tmp_path, "")
    with pytest.raises(UnsupportedRunError, match="not in bfloat16"):
        runs.model(narrow(), NAME)


def narrow() -> str:
    """A built-in one of that base."""
    return next(policy.name for policy in builtin().values() if policy.base == BFLOAT16.name)
