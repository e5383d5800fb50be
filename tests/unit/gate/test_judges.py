"""Records that another mpcheck made, or of other work, are red."""

from __future__ import annotations

from mpcheck.records.document import JudgedSystem
from tests.unit.gate.fake_gate import FakeGate


def test_another_mpcheck_on_either_side_is_red(gate: FakeGate) -> None:
    gate.document = lambda run: run.model_copy(update={"environment": run.environment.model_copy(update={"mpcheck_digest": "another"})})
    outcome = gate.go()
    assert outcome.verdict == "FAIL" and [o.kind for o in outcome.objected] == ["mpcheck"] and "another mpcheck judged" in gate.report
    assert gate.go(MPCHECK_GATE_ALLOW="mpcheck").verdict == "PASS", "of the gate of mpcheck's own repository"
    gate.document = lambda run: run.model_copy(update={"environment": run.environment.model_copy(update={"mpcheck_digest": ""})})
    assert gate.go().verdict == "FAIL"


def test_records_that_tell_of_other_work_are_red(gate: FakeGate) -> None:
    for update in ({"options": {"seed": 7}}, {"systems": [JudgedSystem(name="builtin:water", digest="easier")]}):
        gate.document = lambda run, update=update: run.model_copy(update=update)  # type: ignore[misc]
        outcome = gate.go(MPCHECK_GATE_ALLOW="comparison,moved,gone")
        assert outcome.verdict == "FAIL" and {o.kind for o in outcome.objected} == {"records"}, update
    gate.document = lambda run: run.model_copy(update={"environment": run.environment.model_copy(update={"device_slug": "cuda-other"})})
    assert gate.go().verdict == "FAIL"
