"""First calls and new shapes: what is judged, how often identical code is called slower, and what is too small to matter."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mpcheck.bench.decide.first_calls import (
    NONE_STORED,
    OTHERS_BEFORE,
    PAIRED_START,
    STORED_START,
    Pair,
    judge_pairs,
    longest,
    paired_starts,
    start_findings,
    stored_starts,
)
from mpcheck.bench.figures import BenchFigures, Launch, Start
from mpcheck.bench.launch.paired import PairedMeasurement

LINEAR, WHOLE = "s*1/products.0.linear-e3nn-float32-forward", "s*1/model-e3nn-float32-energy"

STEADY = {LINEAR: 1e-3, WHOLE: 10e-3}


def starts(seconds: float, count: int, shape: float | None = 1.0, seed: int = 0, spread: float = 0.05, **changes: Any) -> list[Start]:
    """First calls of so many seconds, which vary as first calls do."""
    rng = np.random.default_rng(seed)
    shapes = [None if shape is None else shape * math.exp(spread * x) for x in rng.standard_normal(count)]
    return [Start(first=seconds * math.exp(spread * x), shape=s, **changes) for x, s in zip(rng.standard_normal(count), shapes, strict=True)]


def cells(made: dict[str, list[Start]]) -> dict[str, BenchFigures]:
    found = {}
    for name, own in made.items():
        launch = Launch(quantiles=[STEADY[name]] * 5, normalised={"all": 1.0}, rounds=1, calls=1, first_call=1.0)
        found[name] = BenchFigures(launches=[launch], starts=own)
    return found


def decisions(base: dict[str, list[Start]], head: dict[str, list[Start]]) -> dict[tuple[str, str], str]:
    found = stored_starts(cells(head), cells(base))
    return {name: v.decision for name, v in found.verdicts.items()}


def test_a_start_of_a_minute_instead_of_half_a_one_is_called_and_the_other_way_round() -> None:
    slow = decisions({WHOLE: starts(30.0, 8)}, {WHOLE: starts(60.0, 5, seed=1)})
    assert slow == {(WHOLE, "first-call"): "slower", (WHOLE, "new-shape"): "same"}
    assert decisions({WHOLE: starts(60.0, 8)}, {WHOLE: starts(30.0, 5, seed=1)})[WHOLE, "first-call"] == "faster"


def test_compilation_on_every_shape_is_called_where_the_first_call_is_as_fast_as_ever() -> None:
    found = decisions({WHOLE: starts(30.0, 8, shape=0.02)}, {WHOLE: starts(30.0, 5, shape=30.0, seed=1)})
    assert found == {(WHOLE, "first-call"): "same", (WHOLE, "new-shape"): "slower"}


@pytest.mark.parametrize(("base", "head", "decision"), [(2e-3, 3e-3, "same"), (2e-3, 9e-3, "same"), (2e-3, 0.2, "slower"), (0.2, 2e-3, "faster")])
def test_what_one_evaluation_of_the_model_takes_is_not_noticed(base: float, head: float, decision: str) -> None:
    """A block's first call, beside a model whose steady call takes 10 ms."""
    found = decisions({LINEAR: starts(base, 8), WHOLE: starts(1.0, 8)}, {LINEAR: starts(head, 8, seed=1), WHOLE: starts(1.0, 8, seed=2)})
    assert found[LINEAR, "first-call"] == decision


def test_the_least_that_matters_is_of_the_same_system_backend_and_format() -> None:
    other = WHOLE.replace("float32", "float64")
    assert longest({LINEAR: 1.0, WHOLE: 3.0, other: 50.0}) == {LINEAR: 3.0, WHOLE: 3.0, other: 50.0}


def _interval(hits: int, tries: int) -> tuple[float, float]:
    found = stats.binomtest(hits, tries).proportion_ci(0.99, "exact")
    return float(found.low), float(found.high)


@pytest.mark.parametrize("together", [True, False])
def test_runs_of_identical_code_fire_no_more_often_than_stated(together: bool) -> None:
    """Spreads as they were measured: 5 % (median), 13 % (one in twenty); every tenth benchmark has a wild launch now and then."""
    rng = np.random.default_rng(3)
    rule = replace(PAIRED_START if together else STORED_START, margin=0.0, between_occasion_sd=0.0)
    spreads = np.exp(rng.normal(math.log(0.05), 0.6, 40))
    fired = 0
    for _ in range(300):
        draws = rng.standard_normal((40, 2, 5)) * spreads[:, None, None]
        draws[::10] += (rng.random((4, 2, 5)) < 0.1) * 0.7
        pairs = {i: Pair(list(np.exp(b)), list(np.exp(h)), 0.0, together) for i, (b, h) in enumerate(draws)}
        fired += any(v.decision == "slower" for v in judge_pairs(pairs, rule).values())
    assert _interval(fired, 300)[0] <= 0.01, "even without a margin, one run in a hundred at most"


def test_about_twice_as_long_is_called_among_many_with_the_first_looks_launches() -> None:
    rng = np.random.default_rng(4)

    def verdict(shift: float) -> Any:
        draws = rng.standard_normal((60, 2, 5)) * 0.05
        draws[0, 1] += shift
        pairs = {i: Pair(list(np.exp(b)), list(np.exp(h)), 0.0, True) for i, (b, h) in enumerate(draws)}
        return judge_pairs(pairs, replace(PAIRED_START, looks=3))[0]

    promised = float(np.median([verdict(0.0).detectable for _ in range(20)]))
    assert promised < 1.1
    called = sum(verdict(math.log1p(promised)).decision == "slower" for _ in range(100))
    assert _interval(called, 100)[1] >= 0.95
    assert sum(verdict(math.log1p(PAIRED_START.margin)).decision == "slower" for _ in range(100)) <= 3, "an effect at the margin is tolerated"


def test_old_figures_without_first_calls_are_told_of_in_one_line() -> None:
    names = [LINEAR, WHOLE]
    found = stored_starts(cells({n: starts(1.0, 3) for n in names}), cells({n: [] for n in names}))
    assert found.notes == [f"first calls of 2 benchmarks are not judged: {NONE_STORED}"]
    assert not found.undecided and [f for n in names for f in start_findings(found, n, STORED_START)] == []


def test_first_calls_after_other_benchmarks_are_not_compared() -> None:
    """Whoever measures a single block pays for what another block would have compiled."""
    base, head = {WHOLE: starts(0.01, 8, after="all")}, {WHOLE: starts(30.0, 5, after="none")}
    found = stored_starts(cells(head), cells(base))
    assert found.notes == [f"first calls of 1 benchmarks are not judged: {OTHERS_BEFORE}"]
    assert (WHOLE, "first-call") not in found.verdicts and (WHOLE, "new-shape") in found.verdicts
    mixed = {WHOLE: [*starts(30.0, 2, after="none"), *starts(0.01, 3, seed=1, after="all")]}
    assert decisions(base, mixed)[WHOLE, "first-call"] == "same"


def test_a_block_that_no_longer_takes_another_number_of_structures_is_red() -> None:
    base = {WHOLE: starts(1.0, 4)}
    broken = {WHOLE: starts(1.0, 4, shape=None, refused="RuntimeError: shape", broken=True)}
    found = stored_starts(cells(broken), cells(base))
    told = {f.check: (f.verdict, f.reason) for f in start_findings(found, WHOLE, STORED_START)}
    assert told["new-shape"] == ("fail", "with another number of structures: RuntimeError: shape") and told["first-call"][0] == "pass"
    never = stored_starts(cells(broken), cells(broken))
    assert [f.check for f in start_findings(never, WHOLE, STORED_START)] == ["first-call"], "it never could"


def test_a_finding_says_effect_margin_and_seconds() -> None:
    found = stored_starts(cells({WHOLE: starts(60.0, 5, seed=1)}), cells({WHOLE: starts(30.0, 8)}))
    first, shape = start_findings(found, WHOLE, STORED_START)
    assert (first.check, first.verdict, first.subject, first.variant) == ("first-call", "fail", "model", "energy")
    assert first.reason.startswith("slower by more than the margin: +") and "margin 50 %" in first.reason
    assert first.figures["base_first_calls_ms"] == pytest.approx(30e3, rel=0.1) and first.figures["least_ms"] == pytest.approx(10.0)
    assert (shape.check, shape.verdict, shape.reason) == ("new-shape", "pass", "")


def made_pairs(base: list[Start], head: list[Start]) -> PairedMeasurement:
    return PairedMeasurement(differences={WHOLE: [0.0] * len(base)}, seconds={"base": {WHOLE: [0.01]}, "head": {WHOLE: [0.01]}},
                starts={"base": {WHOLE: base}, "head": {WHOLE: head}})  # fmt: skip


def test_base_against_head() -> None:
    same = paired_starts(made_pairs(starts(1.0, 5), starts(1.0, 5, seed=1)))
    assert {v.decision for v in same.verdicts.values()} == {"same"} and same.notes == []
    slow = paired_starts(made_pairs(starts(1.0, 5), starts(9.0, 5, seed=1)))
    assert slow.verdicts[WHOLE, "first-call"].decision == "slower"
    drifting = [s.model_copy(update={"first": s.first * 4**i}) for i, s in enumerate(starts(1.0, 5, spread=0.01))]
    heads = [s.model_copy(update={"first": s.first * 4**i}) for i, s in enumerate(starts(1.0, 5, spread=0.01, seed=1))]
    assert paired_starts(made_pairs(drifting, heads)).verdicts[WHOLE, "first-call"].decision == "same", "what both share is no noise"
    one_sided = paired_starts(made_pairs(starts(1.0, 5), starts(1.0, 5, shape=None, refused="X: y", broken=True)))
    assert one_sided.refused == {WHOLE: "X: y"} and (WHOLE, "new-shape") not in one_sided.verdicts
