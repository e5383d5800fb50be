"""What a gate concludes of its records, and where its blocks are written."""

from __future__ import annotations

import pytest

from mpcheck.gate.github import remarks
from mpcheck.gate.outcome import Place, place_of
from mpcheck.gate.sessions import Crash
from tests.unit.gate.outcomes import outcome, results


@pytest.mark.parametrize(
    ("head", "base", "only_new", "verdict", "code"),
    [
        ([("x", "pass")], None, False, "PASS", 0),
        ([("x", "fail")], None, False, "FAIL", 1),
        ([("x", "fail")], [("x", "fail")], False, "FAIL", 1),
        ([("x", "fail")], [("x", "fail")], True, "PASS", 0),
        ([("x", "fail"), ("y", "pass")], [("x", "fail")], True, "PASS", 0),
        ([("x", "fail"), ("y", "fail")], [("x", "fail")], True, "FAIL", 1),
        ([("x", "unsupported")], None, False, "NOTHING JUDGED", 2),
    ],
)
def test_verdicts(head: list[tuple[str, str]], base: list[tuple[str, str]] | None, only_new: bool, verdict: str, code: int) -> None:
    found = outcome(results(*head), results(*base) if base is not None else None, only_new=only_new)
    assert (found.verdict, found.code) == (verdict, code)


def test_a_crash_of_head_is_red_and_one_of_base_is_not() -> None:
    green = results(("x", "pass"))
    assert outcome(green, crashes=[Crash("base", "precision", "died")]).code == 0
    assert outcome(green, crashes=[Crash("head", "precision", "died")]).code == 1
    assert outcome(None, crashes=[Crash("head", "", "SyntaxError")]).code == 1
    assert outcome(None).code == 2


def test_places() -> None:
    places = {"interactions.1": Place("Interaction", "mace/blocks.py", 7), "": Place("MACE", "mace/models.py", 2)}
    assert place_of("interactions.1@2", places) == places["interactions.1"]
    inside = place_of("interactions.1.conv_tp.weights", places)
    assert inside is not None and (inside.owner, inside.own) == ("Interaction", False)
    model = place_of("energy_sum", places)
    assert model is not None and (model.file, model.own) == ("mace/models.py", False)
    assert place_of("interactions.1", {}) is None
    told = remarks(outcome(results(("interactions.1.linear", "fail")), places=places))[0]
    assert (told.file, told.line) == ("mace/blocks.py", 7) and "is inside this Interaction" in told.message
