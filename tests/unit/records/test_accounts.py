"""Records that are not whole are red wherever they are read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpcheck.cli.main import main
from mpcheck.gate.outcome import Outcome as GateOutcome
from mpcheck.history.compare import compare
from mpcheck.history.gates import entry_of
from mpcheck.records.accounts import disorder
from mpcheck.records.document import Records
from mpcheck.records.outcome import outcome
from mpcheck.records.read import read_results
from mpcheck.report.comment import comment
from mpcheck.report.page import summary_markdown
from mpcheck.report.page.view import page_of
from mpcheck.sessions.finish import shown
from tests.unit import record_samples as samples
from tests.unit.records.judged import JUDGING, document, write

QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def without(whole: Records, places: set[int]) -> Records:
    return whole.model_copy(update={"records": [record for number, record in enumerate(whole.records) if number not in places]})


@pytest.mark.parametrize("suite", ["precision", *JUDGING])
@QUICK
@given(data=st.data())
def test_any_records_that_are_deleted_are_red(suite: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = document(suite)
    places = data.draw(st.sets(st.integers(0, len(whole.records) - 1), min_size=1))
    cut = without(whole, places)
    assert outcome(whole) == "pass" and outcome(cut) == "crashed"
    where = write(tmp_path_factory.mktemp("cut") / "head", cut)
    found, base = read_results([where]), samples.results(whole)
    assert found.verdict == "CRASHED" and found.disorder
    assert compare(base, found).failed and compare(found, base).failed  # what base lost, head cannot be compared with
    assert GateOutcome("b", "h", found, base).code == 1
    assert GateOutcome("b", "h", found, base, only_new=True).code == 1
    assert entry_of(found).verdicts[suite] == "CRASHED"
    assert "CRASHED" in comment(where.parent, conclusion="success")
    assert main(["report", str(where), "--markdown", str(where / "r.md"), "--check"]) == 1
    assert main(["merge", str(where), "--out", str(where / "merged")]) == 1


@pytest.mark.parametrize("change", ["unplanned", "twice", "planned twice", "no plan", "running", "interrupted", "crashed"])
@pytest.mark.parametrize("suite", ["precision", *JUDGING])
def test_what_one_run_cannot_have_written_is_red(suite: str, change: str) -> None:
    whole = document(suite)
    name, rows = "records", whole.records
    changes: dict[str, Any] = {
        "unplanned": {name: [*rows, rows[0].model_copy(update={"key": "another"})]}, "twice": {name: [*rows, rows[0]]},
        "planned twice": {"plan": [*whole.plan, whole.plan[0]]}, "no plan": {"plan": [], name: []},
    }.get(change, {"state": change, "why": "Ctrl-C"})  # fmt: skip
    broken = whole.model_copy(update=changes)
    assert outcome(broken) == "crashed"
    (line, *_) = disorder(broken)
    assert "\n" not in line


def test_a_narrowed_run_says_what_it_left_out() -> None:
    made = document("precision").model_copy(update={"narrowed": {"blocks": ["x", "y", "z", "w"], "formats": ["float16"]}})
    said = "left out 4 blocks (x, y, z …), 1 formats (float16)"
    assert outcome(made) == "pass"
    assert said in shown(made) and said in page_of(samples.results(made)).remarks[0]
    assert said in "".join(summary_markdown(samples.results(made)).splitlines()[:12]).replace("\\", "")
