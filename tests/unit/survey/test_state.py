"""What of a survey need not be run again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mpcheck._errors import InputError
from mpcheck.records.record import Record
from mpcheck.records.verdicts import Verdict
from mpcheck.survey.part import Cost, Part, Scale
from mpcheck.survey.state import KIND, PartState, Status, SurveyState, key_of

SCALE = Scale("cpu", toy=True)
PART = Part(name="one", subject="s", title="t", order=1, cost={"toy": Cost(1)}, words=("full",), toy=("toy",), module="work")


def state(status: Status = "ended", verdict: Verdict = "pass", key: str | None = None) -> SurveyState:
    record = Record(check="part", subject="one", verdict=verdict, reason="why", key="one")
    own = PartState(name="one", key=key_of(PART, SCALE) if key is None else key, status=status, tries=3, mpcheck="code", records=[record])
    return SurveyState(device="cpu", slug="cpu-x", size="toy", parts={"one": own})


@pytest.mark.parametrize(
    ("known", "code", "settled"),
    [
        (state(), "code", True), (state(), "other code", True),
        (state(verdict="fail"), "code", True), (state(verdict="fail"), "other code", False),
        (state("running"), "code", False), (state("broken"), "code", False), (state(key="another part"), "code", False),
    ],
)  # fmt: skip
def test_what_has_ended_well_is_kept(known: SurveyState, code: str, settled: bool) -> None:
    """What was red, by the same code alone: other code may have mended it."""
    assert known.settled(PART, key_of(PART, SCALE), code) is settled
    assert not known.settled(replace(PART, name="two"), key_of(PART, SCALE), code)


def test_tries_are_those_that_did_not_end_well() -> None:
    assert (state().tries(PART), state("broken").tries(PART), state("running").tries(PART)) == (0, 3, 3)
    assert state().tries(replace(PART, name="two")) == 0


def test_a_part_is_another_one_where_it_does_something_else() -> None:
    own = key_of(PART, SCALE)
    others = [
        key_of(replace(PART, toy=("other",)), SCALE), key_of(replace(PART, variables={"A": "b"}), SCALE), key_of(PART, Scale("cpu")),
        key_of(PART, Scale("cuda", toy=True)), key_of(replace(PART, module="other"), SCALE), key_of(replace(PART, session="audit"), SCALE),
    ]  # fmt: skip
    assert len({own, *others}) == 7
    assert key_of(replace(PART, title="in other words", order=5, cost={}), SCALE) == own == key_of(PART, Scale("cpu", toy=True))
    assert key_of(PART, Scale("cuda:1", toy=True)) == key_of(PART, Scale("cuda", toy=True))


def test_a_damaged_state_is_refused_in_a_line() -> None:
    whole = state().model_dump()
    assert KIND.check(whole, "archive a.zip") == state()
    with pytest.raises(InputError, match=r"archive a\.zip: .*tries"):
        KIND.check({**whole, "parts": {"one": {**whole["parts"]["one"], "tries": -1}}}, "archive a.zip")
