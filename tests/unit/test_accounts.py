"""Records that are not whole are red wherever they are read, and every front end shows the one outcome."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpcheck.cli.main import main
from mpcheck.gate.outcome import Outcome as GateOutcome
from mpcheck.history.compare import compare
from mpcheck.history.gates import entry_of
from mpcheck.records.accounts import disorder
from mpcheck.records.document import Records, write_records
from mpcheck.records.outcome import STATUS, WORDS, combined, outcome
from mpcheck.records.read import Results, read_results
from mpcheck.records.verdicts import VERDICTS
from mpcheck.report.comment import comment
from mpcheck.report.page import summary_markdown
from mpcheck.report.page.as_html import html_page
from mpcheck.report.page.view import page_of
from mpcheck.report.write import write_records as write_session
from mpcheck.sessions.finish import shown
from tests.unit import record_samples as samples

CELLS = [samples.cell(block, variant=d) for block in ("a.b", "c") for d in ("forward", "backward")]
GOLDEN = [{"system": "builtin:water", "name": f"{n}:out", "rms": 0.0, "max": 0.0, "limit": 2.0, "failure": ""} for n in ("a", "b")]
CHECKS = {"symmetry": ("layout", "mix"), "audit": ("engagement", "dtypes"), "bench": ("latency", "cost")}
JUDGING = tuple(CHECKS)
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def document(suite: str) -> Records:
    if suite == "precision":
        return samples.run(*CELLS, golden=GOLDEN)
    rows = [samples.finding(f"a.{n}", check=check, backend="e3nn", format="float32") for n in range(2) for check in CHECKS[suite]]
    return samples.findings(suite, *rows)


def write(directory: Path, *documents: Records) -> Path:
    for one in documents:
        path = directory / f"{one.suite}.json"
        write_records(path, one)
    return directory


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


CELL_VERDICTS = ("pass", "fail", "unsupported", "degraded")
COMBINATIONS = [
    (suite, chosen)
    for suite in ("precision", *JUDGING)
    for size in (1, 2)
    for chosen in itertools.combinations(CELL_VERDICTS if suite == "precision" else VERDICTS, size)
]


def with_verdicts(suite: str, verdicts: tuple[str, ...]) -> Records:
    if suite == "precision":
        return samples.run(*(samples.cell(f"block.{v}", verdict=v, reason=f"because {v}") for v in verdicts))
    rows = (samples.finding(f"block.{v}", check=CHECKS[suite][0], system="s", variant="forward", verdict=v, reason=f"because {v}") for v in verdicts)
    return samples.findings(suite, *rows)


@pytest.mark.parametrize(("suite", "verdicts"), COMBINATIONS)
def test_every_front_end_shows_the_one_outcome(suite: str, verdicts: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = with_verdicts(suite, verdicts)
    came = outcome(made)
    expected = "fail" if {"fail", "degraded"} & set(verdicts) else "pass" if "pass" in verdicts else "nothing judged"
    assert came == expected
    word, results = WORDS[came], samples.results(made)
    others = {*WORDS.values()} - {word}
    (tmp_path / "head").mkdir()
    (records, summary, *_) = write_session(tmp_path / "head", made)
    assert read_results([records]).verdict == word
    assert summary.read_text().splitlines()[0].partition(": ")[2].partition(":")[0] == word
    page = page_of(results)
    assert page.verdict == word and [s.word for s in page.sessions] == [word]
    assert f">{word}<" in html_page(page, results, []).replace("\n", "") or word in html_page(page, results, [])
    assert word in summary_markdown(results).splitlines()[0] or word in summary_markdown(results)[:400]
    told = shown(made)
    assert any(line.startswith(f"{word}:") for line in told.splitlines())
    assert not any(line.startswith(f"{other}:") for other in others for line in told.splitlines())
    assert entry_of(results).verdicts == {suite: word}
    gate = GateOutcome("", "h", results)
    assert (gate.verdict, gate.code) == (word, STATUS[came])
    assert word in comment(tmp_path)[:400]
    capsys.readouterr()
    assert main(["report", str(records), "--markdown", str(tmp_path / "r.md"), "--check"]) == STATUS[came]
    assert capsys.readouterr().out.startswith(f"{word}:")
    assert main(["merge", str(tmp_path / "head"), "--out", str(tmp_path / "merged")]) == STATUS[came]
    assert f"{suite}: {word}," in capsys.readouterr().out


@pytest.mark.parametrize("suite", ["precision", "audit"])
def test_what_the_user_lets_be_is_not_red(suite: str) -> None:
    made = with_verdicts(suite, ("degraded",))
    row = made.records[0].model_copy(update={"tolerated": "--allow-degraded cueq"})
    assert outcome(made) == "fail"
    assert outcome(made.model_copy(update={"records": [row]})) == "nothing judged"


def test_of_several_sessions_the_worst_counts() -> None:
    fine, bad, nothing = (with_verdicts("audit", (v,)) for v in ("pass", "fail", "unsupported"))
    cut = fine.model_copy(update={"records": []})
    profile = samples.findings("profile", samples.finding(check="profile"))
    assert combined([fine, bad]) == "fail" and combined([fine, nothing]) == "nothing judged"
    assert combined([bad, cut]) == "crashed" and combined([]) == "nothing judged"
    assert combined([profile]) == "nothing judged" and combined([fine, profile]) == "pass"
    assert combined([bad, fine], forgiven=["audit"]) == "pass"


def test_records_of_another_schema_version_are_refused(tmp_path: Path) -> None:
    """They have no plan, so that nobody can say whether they are whole."""
    path = write(tmp_path, document("audit")) / "audit.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"schema_version": 1}))
    assert main(["report", str(path), "--markdown", str(tmp_path / "r.md"), "--check"]) == 2


def test_a_narrowed_run_says_what_it_left_out() -> None:
    made = document("precision").model_copy(update={"narrowed": {"blocks": ["x", "y", "z", "w"], "formats": ["float16"]}})
    said = "left out 4 blocks (x, y, z …), 1 formats (float16)"
    assert outcome(made) == "pass"
    assert said in shown(made) and said in page_of(samples.results(made)).remarks[0]
    assert said in "".join(summary_markdown(samples.results(made)).splitlines()[:12]).replace("\\", "")


def test_results_of_nothing() -> None:
    assert Results({}).verdict == "NOTHING JUDGED"
