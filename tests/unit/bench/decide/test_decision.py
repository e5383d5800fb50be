"""Verdicts from launches: error rates by simulation, and what they say."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mpcheck.bench.decide.decision import LaunchSample, Rule, holm, judge, paired_sample, prior, unpaired_sample

RULE = Rule(margin=0.02, equivalence=0.03, alpha=0.01)


def _runs(rng: np.random.Generator, runs: int, cells: int, launches: int, shift: float, spreads: np.ndarray) -> list[dict[str, LaunchSample]]:
    draws = rng.standard_normal((runs, cells, launches)) * spreads[None, :, None]
    draws[:, 0] += shift  # the first benchmark is the slowed one
    return [{f"c{i}": paired_sample(run[i]) for i in range(cells)} for run in draws]


def _interval(hits: int, tries: int) -> tuple[float, float]:
    found = stats.binomtest(hits, tries).proportion_ci(0.99, "exact")
    return float(found.low), float(found.high)


def test_a_run_of_identical_code_fires_no_more_often_than_stated() -> None:
    rng = np.random.default_rng(1)
    spreads = np.exp(rng.normal(math.log(0.015), 0.4, 40))  # benchmarks differ in how much they vary
    fired = sum(any(v.decision == "slower" for v in judge(run, replace(RULE, margin=0.0)).values()) for run in _runs(rng, 600, 40, 5, 0.0, spreads))
    assert _interval(fired, 600)[0] <= 0.01, "even without a margin, one run in a hundred at most"


def test_a_slow_down_beyond_the_detectable_effect_is_called_with_the_stated_power() -> None:
    rng = np.random.default_rng(2)
    spreads = np.full(20, 0.012)
    detectable = float(np.median([judge(run, RULE)["c0"].detectable for run in _runs(rng, 50, 20, 8, 0.0, spreads)]))
    called = sum(judge(run, RULE)["c0"].decision == "slower" for run in _runs(rng, 300, 20, 8, math.log1p(detectable), spreads))
    assert _interval(called, 300)[1] >= 0.95
    missed = sum(judge(run, RULE)["c0"].decision == "slower" for run in _runs(rng, 300, 20, 8, math.log1p(RULE.margin), spreads))
    assert missed <= 6, "an effect at the margin is tolerated"


def test_same_is_said_of_identical_code_and_rarely_of_a_change_at_its_bound() -> None:
    rng = np.random.default_rng(3)
    spreads = np.full(10, 0.01)
    same = [judge(run, RULE)["c0"].decision for run in _runs(rng, 200, 10, 10, 0.0, spreads)]
    assert same.count("same") >= 190
    wrong = sum(judge(run, RULE)["c0"].decision == "same" for run in _runs(rng, 1000, 10, 10, math.log1p(RULE.equivalence), spreads))
    assert _interval(wrong, 1000)[0] <= 5 * RULE.alpha


def test_too_noisy_to_tell_is_said_with_the_launches_that_it_would_take() -> None:
    noisy = judge({"c": paired_sample([0.06, -0.05, 0.02])}, RULE)["c"]
    assert noisy.decision == "inconclusive"
    assert noisy.needed is not None and noisy.needed > 3
    assert noisy.detectable > 0.1
    rng = np.random.default_rng(4)
    spread = float(np.std([0.06, -0.05, 0.02], ddof=1))
    enough = rng.standard_normal(noisy.needed) * spread
    enough += 0.01 - enough.mean()
    enough *= 1  # the same effect with as many launches as were said to be enough
    assert judge({"c": paired_sample(list(0.01 + (enough - enough.mean()) * spread / np.std(enough, ddof=1)))}, RULE)["c"].decision == "same"


def test_what_no_number_of_launches_decides_is_said_too() -> None:
    between = judge({"c": LaunchSample(math.log(1.028), 1e-4, 400, 100)}, replace(RULE, margin=0.05))["c"]
    drifting = judge({"c": unpaired_sample([0.0, 0.001, -0.001] * 3, [0.012, 0.011, 0.013])}, replace(RULE, between_occasion_sd=0.03))["c"]
    assert drifting.decision == "inconclusive" and drifting.needed is None
    assert between.decision in ("same", "inconclusive")


def test_faster_is_its_own_verdict() -> None:
    assert judge({"c": paired_sample([-0.2, -0.21, -0.19, -0.2, -0.205])}, RULE)["c"].decision == "faster"


def test_one_wild_launch_does_not_make_a_regression() -> None:
    calm = {f"c{i}": paired_sample(list(np.random.default_rng(i).normal(0, 0.005, 5))) for i in range(30)}
    found = judge({**calm, "wild": paired_sample([0.0, 0.01, -0.01, 0.3, 0.0])}, RULE)
    assert found["wild"].decision == "inconclusive", "its own variance counts where it is larger than the others'"


def test_sequential_looks_share_the_error_rate() -> None:
    rng = np.random.default_rng(5)
    looks, fired = (3, 5, 8), 0
    rule = replace(RULE, margin=0.0, looks=len(looks))
    for _ in range(500):
        data = rng.standard_normal((20, 8)) * 0.02
        fired += any(
            v.decision == "slower" for n in looks for v in judge({f"c{i}": paired_sample(row[:n]) for i, row in enumerate(data)}, rule).values()
        )
    assert _interval(fired, 500)[0] <= 0.01


def test_prior_recovers_what_the_benchmarks_have_in_common() -> None:
    rng = np.random.default_rng(6)
    d0, s0 = 10.0, 4e-4
    variances = s0 * d0 / rng.chisquare(d0, 3000)  # scaled inverse chi-squared, Smyth's model
    samples = [LaunchSample(0.0, float(v * rng.chisquare(4) / 4), 4, 5) for v in variances]
    found = prior(samples)
    assert found[0] == pytest.approx(d0, rel=0.2)
    assert found[1] == pytest.approx(s0, rel=0.1)
    assert prior(samples[:3]) == (0.0, 0.0)


def test_holm_agrees_with_the_definition() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == {"a": pytest.approx(0.03), "c": pytest.approx(0.06), "b": pytest.approx(0.06)}


def test_unpaired_keeps_both_sides_spread_and_needs_two_of_each() -> None:
    sample = unpaired_sample([0.0, 0.02], [0.1, 0.12, 0.14])
    assert sample.effect == pytest.approx(0.11)
    assert sample.freedom == 3 and sample.others == 0.5
    assert sample.variance == pytest.approx((2e-4 + 8e-4) / 3)
    with pytest.raises(ValueError, match="two launches"):
        unpaired_sample([0.0], [0.1, 0.2])
    with pytest.raises(ValueError, match="two launches"):
        paired_sample([0.1])


def test_the_interval_holds_the_effect_as_often_as_stated() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(1000):
        verdict = judge({"c": paired_sample(list(rng.normal(0.05, 0.02, 6)))}, RULE)["c"]
        held += verdict.low <= math.expm1(0.05) <= verdict.high
    low, high = _interval(held, 1000)
    assert low <= 0.98 <= high
