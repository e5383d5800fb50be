"""Which sessions there are, and what it costs to ask."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from mpcheck._errors import InputError
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.registry import get, session_of_check, sessions

HEAVY = ("torch", "pydantic", "typer", "mace", "numpy", "pytest")
ASK = f"""\
import json, sys
from mpcheck.sessions.registry import sessions
options = [name for spec in sessions().values() for name in spec.declared]
print(json.dumps([list(sessions()), [name for name in {HEAVY} if name in sys.modules]]))
"""


def test_sessions_come_in_their_order() -> None:
    assert list(sessions()) == ["precision", "policy", "md", "training", "training-step", "symmetry", "ranges", "audit", "bench", "profile", "survey"]
    assert [spec.order for spec in sessions().values()] == sorted(spec.order for spec in sessions().values())
    assert all(get(name) is spec and spec.name == name for name, spec in sessions().items())


def test_an_unknown_name_is_told_the_known_ones() -> None:
    known = "precision, policy, md, training, training-step, symmetry, ranges, audit, bench, profile, survey"
    with pytest.raises(InputError, match=f"unknown session 'precison'; choose from {known}"):
        get("precison")


def test_commands_are_told_apart() -> None:
    assert len({spec.command for spec in sessions().values()}) == len(sessions())


@pytest.mark.parametrize("spec", sessions().values(), ids=sessions())
def test_a_check_tells_its_session(spec: SessionSpec) -> None:
    own = [check for check in spec.checks if spec is session_of_check(check)]
    assert own and set(spec.block_checks) <= set(spec.checks)
    assert all(session_of_check(check) for check in spec.checks)
    assert session_of_check("made up") is None


def test_to_ask_costs_no_import_of_anything_large() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [list(sessions()), []]
