"""The answer: a line for each policy."""

from __future__ import annotations

from mpcheck.sessions.md.answer import answer
from tests.unit.sessions.md.samples import RUN, document, run

LINES = answer(RUN)


def line(policy: str) -> str:
    return next(text for text in LINES if f", {policy} on e3nn:" in text)


def test_an_equivalent_policy_says_in_what_and_what_it_gains() -> None:
    assert line("float32").endswith("equivalent to float64 in all 2 observables (nve); 1.40 times as fast as float64")


def test_runs_that_have_not_parted_are_said_to_be_the_same() -> None:
    place = LINES.index(line("float32"))
    assert "still within 2e-06 Å of float64's" in LINES[place + 1]
    assert sum("still within" in text for text in LINES) == 1


def test_a_different_policy_says_in_what() -> None:
    assert "DIFFERENT from float64 in potential energy (nve +10.4 K)" in line("all-fp16")


def test_what_cannot_be_told_says_what_it_needs() -> None:
    assert "cannot tell of temperature (nve +0.5 K), which needs about 12 ps; equivalent in 0 of 1 observable" in line("linear-bf16")


def test_an_explosion_comes_before_all_else() -> None:
    assert line("all-bf16").endswith("EXPLODES in 1 run")


def test_float64_alone_is_no_comparison() -> None:
    assert answer(document(run("float64"))) == ["no policy was compared with float64"]
