"""Known faults of upstream are applied to every check in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._names import AUDIT, SYMMETRY
from mpcheck.checks.precision import CellKey
from mpcheck.judge import known_faults as faults_data
from mpcheck.judge.context import Inspection, Key
from mpcheck.judge.follows import names_in
from mpcheck.judge.known_faults import KnownFault
from mpcheck.records.record import Record
from mpcheck.sessions.options import resolve
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.registry import get
from mpcheck.sessions.run import Session
from tests import inspections
from tests.conftest import SYSTEM

BLOCK = "products.0.linear"
EVIDENCE = "measured by nobody, in a test"
ENTRY = {"id": "planted", "package": "torch", "versions": ">=1", "subject": BLOCK, "says": "planted", "evidence": EVIDENCE}


def entry(**fields: Any) -> KnownFault:
    return KnownFault.model_validate({**ENTRY, **fields})


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it with entries: they are the file."""
    return lambda *faults: monkeypatch.setattr(faults_data, "load_faults", lambda path=None: faults)


def test_the_names_are_those_of_the_registry() -> None:
    assert {name: tuple(i.name for i in inspections.checks_of(name)) for name in ("symmetry", "audit")} == {"symmetry": SYMMETRY, "audit": AUDIT}


@pytest.mark.parametrize(("suite", "check"), [*(("symmetry", c) for c in SYMMETRY), *(("audit", c) for c in AUDIT)])
def test_every_check_of_a_session_goes_through_it(suite: Any, check: str, session: Session, known: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = "fail"

    def run(context: Any, key: Key) -> list[Record]:
        return [Record(check=check, subject=BLOCK, backend="e3nn", verdict=verdict, reason="it is planted")]  # type: ignore[arg-type]

    made = Inspection(check, lambda _: [], run)
    work = resolve(get(suite).work)
    monkeypatch.setattr(work, "inspections", tuple(made if i.name == check else i for i in work.inspections))
    key = Key(check, BLOCK)
    known()
    assert [f.verdict for f in inspections.run(suite, session, key)] == ["fail"]
    known(entry(check=check))
    (found,) = inspections.run(suite, session, key)
    assert found.verdict == "known-fault" and "known fault planted of torch" in found.reason
    verdict = "pass"
    assert [f.verdict for f in inspections.run(suite, session, key)] == ["pass", "fail"], "the entry no longer applies"
    known(entry(check="precision"))
    assert [f.verdict for f in inspections.run(suite, session, key)] == ["pass"]


@pytest.mark.parametrize("raises", [True, False])
def test_a_cell_that_raises_or_errs(raises: bool, session: Session, known: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = session.reference_backend.model.get_submodule(BLOCK)
    original, key = module.forward, CellKey(SYSTEM, BLOCK, "e3nn", "float32", "forward")

    def forward(*args: Any, **named: Any) -> torch.Tensor:
        if raises:
            raise RuntimeError("it is planted")
        made: torch.Tensor = original(*args, **named)
        return made * 1.01

    with monkeypatch.context() as patched:
        patched.setattr(module, "forward", forward)
        known()
        red = judge_by_limits(session, key)
        assert red.verdict == "fail" and bool(red.quantities) is not raises
        known(entry(check="precision", says="planted" if raises else "rms ratio"))
        told = Suite(session, tmp_path).judge(key)
        assert told.verdict == ("unsupported" if raises else "known-fault") and "[known fault planted of torch" in told.reason
        known(entry(check="precision", says="another text"))
        assert judge_by_limits(session, key).verdict == "fail"
    stale = judge_by_limits(session, key)
    assert stale.verdict == "fail" and "no longer applies" in stale.reason
    known(entry(check="precision", variant="backward"))
    found: Record = judge_by_limits(session, key)
    assert found.verdict == "pass", "of the other direction"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cueq", ["cueq"]),
        ("e3nn+compile", ["e3nn+compile"]),
        ("e3nn+cueq", ["e3nn", "cueq"]),
        ("e3nn+compile+cueq", ["e3nn+compile", "cueq"]),
        ("nobodys+mine", ["nobodys", "mine"]),
    ],
)
def test_names_of_mixed_models_and_of_variants_are_told_apart(name: str, expected: list[str]) -> None:
    assert names_in(name, ("e3nn", "cueq", "e3nn+compile")) == expected
