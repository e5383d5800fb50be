"""Every front end shows the one outcome."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from mpcheck.cli.main import main
from mpcheck.gate.outcome import Outcome as GateOutcome
from mpcheck.history.gates import entry_of
from mpcheck.records.document import Records
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
from tests.unit.records.judged import CHECKS, JUDGING

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
    assert f"<title>{word}" in html_page(page, results, [])
    assert f" {word}: " in summary_markdown(results).splitlines()[0]
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


def test_results_of_nothing() -> None:
    assert Results({}).verdict == "NOTHING JUDGED"
