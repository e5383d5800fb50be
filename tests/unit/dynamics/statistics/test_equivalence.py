"""Three outcomes at the rates that are stated, on simulations with real correlations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mpcheck.dynamics.statistics.correlated import Sample, sampled
from mpcheck.dynamics.statistics.decisions import Row, decide
from mpcheck.dynamics.statistics.equivalence import Comparison, differences, estimate, paired, unpaired
from tests.unit.dynamics.samples import Floats, Oscillators, autoregressive, temperatures

TOY = Oscillators(frequency=0.05, friction=0.04, timestep=4.0)
STEPS, ATOMS, RUNS = 4000, 32, 100
LENGTH = STEPS * TOY.timestep * 1e-3


def run(seed: int, kelvin: float, seeds: int) -> Floats:
    """[runs, seeds, samples] K of 16 ps each."""
    rng = np.random.default_rng(seed)
    return temperatures(rng, TOY, RUNS * seeds, ATOMS, kelvin, STEPS).reshape(RUNS, seeds, -1)


def outcomes(policy: Floats, reference: Floats, margin: float) -> list[str]:
    compared = [unpaired([sampled(v, LENGTH) for v in p], [sampled(v, LENGTH) for v in r], margin) for p, r in zip(policy, reference, strict=True)]
    return [decide([Row("temperature", "policy", "K", one)])[0].decision for one in compared]


@pytest.fixture(scope="module")
def reference() -> Floats:
    return run(1, 300.0, 2)


@pytest.fixture(scope="module")
def same() -> Floats:
    return run(2, 300.0, 2)


@pytest.mark.parametrize("seeds", [1, 2])
def test_identical_ensembles_are_hardly_ever_different(reference: Floats, same: Floats, seeds: int) -> None:
    for margin in (1.0, 1e-6):
        assert outcomes(same[:, :seeds], reference[:, :seeds], margin).count("different") <= 5


def test_with_enough_information_they_are_equivalent_and_no_margin_is_passed_by_chance(reference: Floats, same: Floats) -> None:
    assert outcomes(same, reference, 15.0).count("equivalent") >= 95
    assert outcomes(same + 15.0, reference, 15.0).count("equivalent") <= 10, "at the margin itself 5 in 100 may be"
    assert outcomes(same, reference, 1.0).count("cannot tell") >= 90


def test_a_warmer_thermostat_is_seen_the_sooner_the_longer(reference: Floats) -> None:
    warm = run(3, 312.0, 2)
    seen = [outcomes(warm[:, :n], reference[:, :n], 3.0).count("different") for n in (1, 2)]
    assert seen[0] < seen[1] and seen[1] >= 60, seen
    hot = outcomes(run(4, 330.0, 2), reference, 3.0)
    assert hot.count("different") >= 97 and "equivalent" not in hot


def test_time_that_is_needed_is_about_right(reference: Floats, same: Floats) -> None:
    """After the needed time equivalent is said in most cases, after a third of it in few."""
    samples = [[sampled(values, LENGTH) for values in side.reshape(2 * RUNS, -1)] for side in (same, reference)]
    margin = 4.0
    compared = [unpaired([p], [r], margin) for p, r in zip(*samples, strict=True)]
    unmoved = [one.needed_ps for one in compared if one.needed_ps and abs(one.difference) < math.sqrt(2) * samples[0][0].error]
    seeds = math.ceil(float(np.median(unmoved)) / LENGTH)
    assert 3 < seeds < 12

    def share(together: int) -> float:
        groups = [[side[at : at + together] for side in samples] for at in range(0, 2 * RUNS - together + 1, together)]
        return float(np.mean([unpaired(p, r, margin).p_equivalence < 0.05 for p, r in groups]))

    assert share(seeds) >= 0.75 and share(3 * seeds) >= 0.95 and share(max(1, seeds // 3)) <= 0.4


def test_pairs_that_share_their_noise_need_less() -> None:
    rng = np.random.default_rng(5)
    noise = [autoregressive(rng, 800, 5.0, 300.0, 10.0) for _ in range(3)]
    moved = [values + 0.5 + autoregressive(rng, 800, 5.0, 0.0, 0.5) for values in noise]
    apart = paired(differences(moved, noise, [10.0] * 3), 300.0, 1.0)
    alone = unpaired([sampled(v, 10.0) for v in moved], [sampled(v, 10.0) for v in noise], 1.0)
    assert apart.p_equivalence < 0.05 < alone.p_equivalence and apart.mean == pytest.approx(300.5, abs=0.15)
    assert apart.p_difference < 0.01, "a difference inside the margin is real and still equivalent"
    assert decide([Row("T", "p", "K", apart)])[0].decision == "equivalent"
    with pytest.raises(ValueError, match="same samples"):
        differences(moved, [values[:-1] for values in noise], [10.0] * 3)


def mean(value: float, error: float = math.nan, freedom: float = 0.0) -> Sample:
    return Sample.of_mean(value, 10.0) if math.isnan(error) else Sample(value, error, freedom, freedom + 1, 10.0)


def test_means_alone_of_two_seeds_need_a_large_effect() -> None:
    one = unpaired([mean(1.0), mean(1.2)], [mean(0.0), mean(0.2)], 0.01)
    assert 0.01 < one.p_difference < 0.05 and one.seeds == 2
    assert one.high - one.difference == pytest.approx(2.92 * math.hypot(0.1, 0.1), rel=1e-3)


def test_errors_of_series_help_where_seeds_agree_with_them_and_do_not_where_they_are_apart() -> None:
    agreeing = estimate([mean(1.0, 0.1, 50), mean(1.1, 0.1, 50)])
    assert agreeing.freedom > 90 and agreeing.variance == pytest.approx(0.005, rel=0.05) and not agreeing.apart
    scattered = estimate([mean(1.0, 0.1, 50), mean(1.25, 0.1, 50)])
    assert scattered.freedom > 90 and scattered.variance == pytest.approx(0.125**2)
    trapped = estimate([mean(1.0, 0.1, 50), mean(2.0, 0.1, 50)])
    assert trapped.apart and trapped.freedom == 1.0 and trapped.variance == pytest.approx(0.25)
    assert estimate([mean(1.0, 0.1, 50), mean(1.0, 0.1, 50)]).variance >= 0.005, "seeds that agree by chance do not make it smaller"


def test_lengths_are_weights() -> None:
    assert estimate([mean(0.0), Sample(3.0, math.nan, 0.0, 1.0, 20.0)]).mean == pytest.approx(2.0)


def test_one_run_too_short_to_know_its_error_says_nothing() -> None:
    one = unpaired([mean(5.0)], [mean(0.0)], 0.1)
    assert (one.p_difference, one.p_equivalence, one.needed_ps) == (1.0, 1.0, None) and one.low == -math.inf
    said = decide([Row("T", "p", "K", one)])[0]
    assert (said.decision, said.low, said.high, said.effective) == ("cannot tell", None, None, None), "what no document could hold is none"


@pytest.mark.parametrize(("difference", "decision"), [(0.0, "equivalent"), (0.05, "equivalent"), (0.2, "different")])
def test_runs_without_any_scatter_are_decided(difference: float, decision: str) -> None:
    one = paired([mean(difference, 0.0, 10)] * 3, 1.0, 0.1)
    assert decide([Row("E", "p", "eV", one)])[0].decision == decision and one.needed_ps is None


def test_what_is_no_comparison_is_refused() -> None:
    with pytest.raises(ValueError, match="margin"):
        unpaired([mean(0.0)], [mean(0.0)], 0.0)
    with pytest.raises(ValueError, match="margin"):
        unpaired([mean(0.0)], [mean(0.0)], math.nan)
    with pytest.raises(ValueError, match="finite means"):
        estimate([mean(math.nan)])
    with pytest.raises(ValueError, match="finite means"):
        estimate([])


def test_no_reasonable_time_is_not_named() -> None:
    far: Comparison = unpaired([mean(0.0, 100.0, 50)], [mean(0.0, 100.0, 50)], 0.1)
    assert far.needed_ps is None and far.length_ps == 10.0
