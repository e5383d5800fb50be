"""Is a mean the same in two ensembles? Two one-sided tests against a stated margin, and a test of no difference.

Three outcomes, so that neither ignorance nor an effect that does not matter is called a difference:

- *equivalent*: both one-sided tests at ``alpha`` put the difference within the margin (Schuirmann 1987, doi:10.1007/BF01068419). A
  significant difference inside the margin is equivalent.
- *different*: the difference is shown to be real, its two-sided test rejects zero at ``alarm`` after Holm's correction over all rows, and what
  was measured lies beyond the margin.
- *cannot tell*: neither, with the simulated time after which one of them could be said.

Replicates are seeds. Two estimates of the same variance exist: between seeds, with as many degrees of freedom as seeds less one, and within
them, from each series' autocorrelation, with many more but blind to what a seed never leaves. An F-test compares them. Where seeds differ by
more than one time in fifty without cause, the variance between them counts alone, with its few degrees of freedom; by more than one in four,
it counts with those of both; otherwise both are pooled, never below the inner one. So two seeds that agree with their own errors need no factor
of 12.7, and seeds that are trapped apart get it. Drawn 4,000 times: identical ensembles are called different in 0.6 to 0.8 of 100 tables of one
row; where seeds truly scatter twice as much as their series say, in 7 (two seeds), 4 (three) and 1.4 (five).

Runs of one seed from the same start with the same thermostat noise are paired: the difference is taken sample by sample first. Pairs that have not
diverged yet (see :mod:`mpcheck.dynamics.statistics.divergence`) differ by little whatever the policy does; that is reported as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mpcheck.dynamics.statistics.correlated import Sample, sampled
from mpcheck.dynamics.trajectory import Floats

ALPHA = 0.05
"""Of each one-sided test of equivalence."""
ALARM = 0.01
"""Probability that identical ensembles are called different anywhere in a table."""
POWER = 0.9
"""With which a decision is reached after the time that is said to be needed."""
APART, SCATTERED = 0.02, 0.25
"""p of the F-test below which seeds differ by more than their series explain, and below which they may."""
LONGEST = 1e4
"""Times as much simulation beyond which none is named."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        mean, variance: of it; the variance is NaN where nothing tells it.
        freedom: degrees of freedom of the variance.
        effective: independent samples in all; NaN where unknown. seeds: how many. length_ps: of all of them together.
        apart: whether seeds differ by more than their series explain.
    """

    mean: float
    variance: float
    freedom: float
    effective: float
    seeds: int
    length_ps: float
    apart: bool = False


@dataclass(frozen=True)
class Comparison:
    """A difference of means and its tests, before multiplicity.

    Attributes:
        reference, mean, difference: the two means and policy less reference, in the observable's unit.
        low, high: interval of the difference at 1 - 2 alpha, which lies within the margin exactly where the two one-sided tests reject.
        margin: stated.
        p_equivalence: the larger p of the two one-sided tests. p_difference: two-sided, of no difference.
        effective: independent samples of the poorer side. seeds: of it. length_ps: of it, over all its seeds.
        needed_ps: of one side, over all seeds, after which it could be decided; None where no reasonable time is enough, or nothing is known.
        apart: whether seeds of a side differ by more than their series explain.
    """

    reference: float
    mean: float
    difference: float
    low: float
    high: float
    margin: float
    p_equivalence: float
    p_difference: float
    effective: float
    seeds: int
    length_ps: float
    needed_ps: float | None
    apart: bool


def estimate(samples: Sequence[Sample]) -> Estimate:
    """Mean over seeds, each weighted by its length; see the module for its variance.

    Raises:
        ValueError: no sample, or means that are not finite.
    """
    if not samples or not all(math.isfinite(one.mean) and one.length_ps > 0 for one in samples):
        raise ValueError("a comparison needs finite means of runs that have a length")
    lengths = np.array([one.length_ps for one in samples])
    weights = lengths / lengths.sum()
    means, seeds = np.array([one.mean for one in samples]), len(samples)
    mean = float(weights @ means)
    effective, length = float(sum(one.effective for one in samples)), float(lengths.sum())
    inner, inner_freedom = _inner(samples, weights)
    if seeds == 1:
        return Estimate(mean, inner, inner_freedom, effective, 1, length)
    outer, outer_freedom = float(weights @ (means - mean) ** 2) / (seeds - 1), float(seeds - 1)
    if math.isnan(inner):
        return Estimate(mean, outer, outer_freedom, effective, seeds, length)
    chance = float(stats.f.sf(outer / inner, outer_freedom, inner_freedom)) if inner > 0.0 else float(outer == 0.0)
    if chance < APART:
        return Estimate(mean, outer, outer_freedom, effective, seeds, length, apart=True)
    freedom = inner_freedom + outer_freedom
    pooled = (inner * inner_freedom + outer * outer_freedom) / freedom
    return Estimate(mean, max(inner, outer if chance < SCATTERED else pooled), freedom, effective, seeds, length)


def _inner(samples: Sequence[Sample], weights: Floats) -> tuple[float, float]:
    """Variance of the mean by the series' own errors, and its degrees of freedom (Satterthwaite 1946); NaN where one is unknown."""
    parts = [float(weight) ** 2 * one.error**2 for weight, one in zip(weights, samples, strict=True)]
    if any(math.isnan(part) for part in parts):
        return math.nan, 0.0
    return _joined(parts, [one.freedom for one in samples])


def _joined(variances: Sequence[float], freedoms: Sequence[float]) -> tuple[float, float]:
    total = sum(variances)
    spread = sum(variance**2 / max(freedom, 1.0) for variance, freedom in zip(variances, freedoms, strict=True))
    return total, total**2 / spread if spread > 0 else max(freedoms)


def unpaired(policy: Sequence[Sample], reference: Sequence[Sample], margin: float, alpha: float = ALPHA, alarm: float = ALARM) -> Comparison:
    """Runs with nothing in common: Welch's test on both sides' estimates.

    Raises:
        ValueError: a margin that is not positive; see also :func:`estimate`.
    """
    ours, theirs = estimate(policy), estimate(reference)
    variance, freedom = _joined([ours.variance, theirs.variance], [ours.freedom, theirs.freedom])
    poorer = min(ours, theirs, key=lambda side: side.length_ps)
    both = Estimate(
        ours.mean - theirs.mean,
        variance,
        freedom,
        min(ours.effective, theirs.effective),
        min(ours.seeds, theirs.seeds),
        poorer.length_ps,
        ours.apart or theirs.apart,
    )
    return _compared(both, theirs.mean, margin, alpha, alarm)


def paired(differences: Sequence[Sample], reference: float, margin: float, alpha: float = ALPHA, alarm: float = ALARM) -> Comparison:
    """Runs that pair by seed: the t-test on their differences.

    Args:
        differences: per seed, policy less reference; of :func:`differences`, or means alone. reference: the reference's mean, to be shown.

    Raises:
        ValueError: as :func:`unpaired`.
    """
    return _compared(estimate(differences), reference, margin, alpha, alarm)


def differences(policy: Sequence[Floats], reference: Sequence[Floats], length_ps: Sequence[float]) -> list[Sample]:
    """Per seed what the difference of two series says, sample by sample.

    Raises:
        ValueError: other numbers of seeds or of samples on the two sides.
    """
    pairs = list(zip(policy, reference, length_ps, strict=True))
    if any(one.shape != other.shape for one, other, _ in pairs):
        raise ValueError("paired series must have the same samples")
    return [sampled(one - other, length) for one, other, length in pairs]


def _compared(both: Estimate, reference: float, margin: float, alpha: float, alarm: float) -> Comparison:
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"a margin must be positive, not {margin}")
    difference = both.mean
    if math.isnan(both.variance):  # one run, too short to tell its own error
        low, high, equivalence, none = -math.inf, math.inf, 1.0, 1.0
    elif both.variance == 0.0:
        low = high = difference
        equivalence, none = float(not abs(difference) < margin), float(difference == 0.0)
    else:
        error = math.sqrt(both.variance)
        reach = float(stats.t.isf(alpha, both.freedom)) * error
        low, high = difference - reach, difference + reach
        equivalence = float(stats.t.sf((margin - abs(difference)) / error, both.freedom))
        none = 2.0 * float(stats.t.sf(abs(difference) / error, both.freedom))
    needed = _needed(both, margin, alpha, alarm)
    return Comparison(
        reference, reference + difference, difference, low, high, margin, equivalence, none,
        both.effective, both.seeds, both.length_ps, needed, both.apart,
    )  # fmt: skip


def _needed(both: Estimate, margin: float, alpha: float, alarm: float) -> float | None:
    """Time after which a decision is likely, the error falling as one over the root of time, by longer runs or more seeds.

    What is planned for is the measured difference less its own error: what noise alone explains is not expected to stay.
    """
    if math.isnan(both.variance) or both.variance == 0.0:
        return None
    error = math.sqrt(both.variance)
    likely = max(0.0, abs(both.mean) - error)
    tail = float(stats.norm.isf(alpha)) + float(stats.norm.isf((1.0 - POWER) / 2.0 if likely == 0.0 else 1.0 - POWER))
    two_sided = float(stats.norm.isf(alarm / 2.0)) + float(stats.norm.isf(1.0 - POWER))
    ratio = tail * error / (margin - likely) if likely < margin else two_sided * error / likely
    times = max(1.0, ratio**2)
    return both.length_ps * times if times < LONGEST else None
