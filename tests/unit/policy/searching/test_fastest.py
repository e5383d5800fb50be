"""From candidates to a winner that was measured and timed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from mpcheck.policy.accuracy import Budget
from mpcheck.policy.rules import Policy, builtin, get_policy
from mpcheck.policy.searching import fastest as module
from mpcheck.policy.searching.fastest import finalists, named_seconds, timed_with, winner
from mpcheck.policy.searching.search import Ranked
from mpcheck.policy.speed.candidates import Candidate
from mpcheck.policy.speed.speedup import Speedup
from mpcheck.policy.speed.table import TradeOff
from mpcheck.policy.speed.timing import Timings, Workload
from mpcheck.policy.speed.whole_errors import WholeErrors
from mpcheck.sessions.options import Options

BUDGET = Budget(1.0, 10.0)
ERRORS = {"a": (0.5, 20.0), "b": (0.5, 5.0), "c": (math.nan, 5.0), "d": (0.1, 1.0), "e": (0.2, 2.0), "f": (0.3, 3.0)}
WORKLOAD = Workload(Options(model="builtin:hco"), "builtin:water")


def ranked(names: str) -> list[Ranked]:
    return [Ranked(Policy(name=n, title=f"policy {n}"), float(i), 0.1, 1.0) for i, n in enumerate(names)]


def measure(policy: Policy) -> tuple[float, float]:
    return ERRORS[policy.name]


def row(name: str, ms: float | None, errors: tuple[float, float] = (0.1, 1.0), variant: str = "") -> tuple[Policy, TradeOff]:
    return Policy(name=name, title=f"policy {name}"), TradeOff(
        Candidate(name, "e3nn", "compile" if variant else ""), "builtin:water", 1, 33, 1214, ms, Speedup(2.0, 1.9, 2.1, 3), Speedup(1.2, 1.1, 1.3, 3),
        2**20, 10, 1.0, WholeErrors(errors[0], None, errors[1], None), None, "cpu", "a processor", 3,
    )  # fmt: skip


def test_finalists_are_those_within_the_budget_with_all_that_was_refused_before_them() -> None:
    found = finalists(ranked("abcdef"), measure, BUDGET)
    assert [c.chosen.policy.name for c in found if c.chosen] == ["b", "d", "e"]
    assert [[r.candidate.policy.name for r in c.refused] for c in found] == [["a"], ["a", "c"], ["a", "c"]]
    none = finalists(ranked("ac"), measure, BUDGET)
    assert len(none) == 1 and none[0].chosen is None and len(none[0].refused) == 2
    assert [c.chosen.policy.name for c in finalists(ranked("ab"), measure, BUDGET) if c.chosen] == ["b"]


def test_the_winner_is_the_fastest_that_was_timed_and_is_within_the_budget_as_it_was_timed() -> None:
    choices = finalists(ranked("bde"), measure, BUDGET)
    told = [row("float64", 1.0, (0.0, 0.0)), row("b", 5.0), row("b", 3.0, (9.0, 1.0), "compile"), row("d", 4.0), row("d", None), row("e", 4.5)]
    found = winner(choices, BUDGET, lambda _: told)
    assert found.choice.chosen is not None and found.choice.chosen.policy.name == "d"
    assert found.row is not None and found.row.milliseconds == 4.0 and len(found.rows) == 6
    variant = winner(choices, BUDGET, lambda _: [*told, row("e", 2.0, (0.2, 2.0), "compile")])
    assert variant.row is not None and variant.row.candidate.variant == "compile"


def test_without_times_the_first_choice_stands_and_nothing_stays_nothing() -> None:
    choices = finalists(ranked("bde"), measure, BUDGET)
    found = winner(choices, BUDGET, lambda _: [row("b", None), row("d", 1.0, (math.nan, 1.0))])
    assert found.choice == choices[0] and found.row is None
    nothing = winner(finalists(ranked("a"), measure, BUDGET), BUDGET, lambda _: [row("a", 1.0)])
    assert nothing.choice.chosen is None and nothing.rows == ()


def test_seconds_of_named_policies_are_in_units_of_the_launch_that_costs_are_of() -> None:
    candidates = {n: Candidate(n) for n in ("float32", "seeds", "all-bf16")}
    timings = Timings(seconds={"float32 e3nn": [[0.02] * 3], "seeds e3nn": [[0.01] * 3]})
    found = named_seconds(timings, candidates, {n: builtin()[n] for n in candidates}, "float32", 0.03)
    assert {n: round(s, 6) for n, (_, s) in found.items()} == {"float32": 0.03, "seeds": 0.015} and found["seeds"][0] == builtin()["seeds"]


def test_policies_that_have_no_name_are_written_for_the_launches_that_time_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Candidate] = []

    def measured(workload: Workload, candidates: list[Candidate], *_: object, **__: object) -> Timings:
        asked.extend(candidates)
        assert [get_policy(c.policy) for c in candidates] == [builtin()[n] for n in ("float64", "float32")] + 2 * [own] + 2 * [builtin()["seeds"]]
        return Timings()

    own = Policy(name="seeds-like", base="float32", energies="together")
    monkeypatch.setattr(module, "measured", measured)
    told = timed_with(WORKLOAD, "cueq", ("", "compile"))([own, builtin()["seeds"]])
    assert [(p.name, r.candidate.backend, r.candidate.variant) for p, r in told][2:] == [
        ("seeds-like", "cueq", ""), ("seeds-like", "cueq", "compile"), ("seeds", "cueq", ""), ("seeds", "cueq", "compile")
    ]  # fmt: skip
    assert asked[4].policy == "seeds" and not Path(asked[2].policy).exists()
