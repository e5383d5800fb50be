"""A survey's course, with parts that take no time: what is begun, kept, gone on with and refused."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.survey.part import Cost, Part, Scale
from mpcheck.survey.run import RESERVE, STATE, Survey, read_state, reserve, resumed
from mpcheck.survey.state import SurveyState

SCALE = Scale("cpu", toy=True)
WORK = """\
import pathlib, time
from mpcheck.survey.found import Finding, write_found
def main(words):
    out, how = words
    print("hello from", how, flush=True)
    if how == "hangs":
        time.sleep(600)
    if how == "raises":
        raise ValueError("lost")
    if how != "leaves nothing":
        write_found(pathlib.Path(out), [Finding(name=how, verdict="fail" if how == "finds a fault" else "pass", reason="r")])
    return 0
"""


def part(how: str, limit: float = 100.0) -> Part:
    name = how.replace(" ", "-")
    return Part(name=name, subject="s", title="t", order=1, cost={"toy": Cost(1, limit)}, words=(), toy=("{out}", how), module="survey_work")


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "survey_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "survey_work", raising=False)
    return tmp_path


def survey(where: Path, state: SurveyState | None = None, seconds: float = 300.0, code: str = "code", work: str = "work") -> Survey:
    (where / work).mkdir(exist_ok=True)
    fresh = SurveyState(device="cpu", slug="cpu-x", size="toy")
    said: list[str] = []
    return Survey(SCALE, where / "survey.zip", where / work, seconds, 2, code, state or fresh, {}, said.append)


def ran(one: Survey, parts: Sequence[Part]) -> dict[str, tuple[str, str, str]]:
    assert one.run(one.waiting(parts)) == []
    return {n: (p.status, str(p.records[0].verdict), p.records[0].reason) for n, p in one.state.parts.items()}


def test_every_end_of_a_part_is_a_record_and_the_next_goes_on(where: Path) -> None:
    parts = [part("works"), part("finds a fault"), part("raises"), part("leaves nothing"), part("hangs", limit=4.0)]
    found = ran(survey(where), parts)
    assert {n: f[:2] for n, f in found.items()} == {
        "works": ("ended", "pass"), "finds-a-fault": ("ended", "fail"), "raises": ("broken", "fail"), "leaves-nothing": ("broken", "fail"),
        "hangs": ("broken", "fail"),
    }  # fmt: skip
    assert "did not end within 4 s" in found["hangs"][2] and "survey_work" in found["hangs"][2]
    with zipfile.ZipFile(where / "survey.zip") as kept:
        assert b"hello from works" in kept.read("parts/works/log.txt") and b"ValueError: lost" in kept.read("parts/raises/log.txt")


def test_it_is_gone_on_with(where: Path) -> None:
    """What ended is kept with its files; what was red runs again by other code, what broke runs again anyway, and last."""
    parts = [part("raises"), part("works"), part("finds a fault")]
    ran(survey(where), parts)
    state = resumed(where / "survey.zip", where / "second", SCALE, "cpu-x")
    assert (where / "second" / "parts" / "works" / "out" / "found.json").is_file()
    again = survey(where, state, work="second")
    assert [p.name for p in again.waiting(parts)] == ["raises"]
    assert [p.name for p in survey(where, state, code="other", work="second").waiting(parts)] == ["raises", "finds-a-fault"]
    assert [p.name for p in again.waiting(parts, again=True)] == ["raises", "works", "finds-a-fault"]
    ran(again, parts)
    assert state.parts["raises"].tries == 2 and [p.name for p in again.waiting(parts, again=True)][-1] == "raises"


def test_the_end_of_its_time_is_no_fault_of_a_part(where: Path) -> None:
    one = survey(where, seconds=6.0)
    left = one.run(one.waiting([part("hangs")]))
    hung = one.state.parts["hangs"].records[0]
    assert left == [] and hung.verdict == "inconclusive" and hung.reason.startswith("the survey's time was up; ")


def test_an_interrupt_ends_what_runs_and_keeps_what_is_known(where: Path) -> None:
    one = survey(where)

    def interrupt() -> None:
        raise KeyboardInterrupt

    one.kept = interrupt
    with pytest.raises(KeyboardInterrupt):
        one.run(one.waiting([part("works"), part("hangs")]))
    state = read_state(where / "survey.zip")
    assert state is not None and state.parts["works"].status == "ended"
    assert state.parts["hangs"].status == "broken" and "interrupted" in state.parts["hangs"].records[0].reason


def test_another_device_s_survey_and_a_damaged_one_are_refused(where: Path) -> None:
    ran(survey(where), [part("works")])
    archive = where / "survey.zip"
    with pytest.raises(InputError, match="holds a survey of cpu-x at toy size, this one is of cpu-y at toy size; give another --out"):
        resumed(archive, where / "w", SCALE, "cpu-y")
    with pytest.raises(InputError, match="at toy size, this one is of cpu-x at full size"):
        resumed(archive, where / "w", Scale("cpu"), "cpu-x")
    for content in (b"{", b"\xff\xfe", b'{"schema_version": 1}'):
        with zipfile.ZipFile(archive, "w") as other:
            other.writestr(STATE, content)
        with pytest.raises(InputError, match="archive"):
            read_state(archive)
    with zipfile.ZipFile(archive, "w") as other:
        other.writestr("notes.txt", b"mine")
    with pytest.raises(InputError, match="holds no survey's state"):
        read_state(archive)
    assert read_state(where / "none.zip") is None


@pytest.mark.parametrize(("seconds", "kept"), [(10.0, 1.0), (540.0, RESERVE)])
def test_files_have_their_time(seconds: float, kept: float) -> None:
    assert reserve(seconds) == kept
