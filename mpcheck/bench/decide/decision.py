"""Is it slower? Verdicts from launches, with the effect, its interval, what could have been seen, and how many more it would take.

The unit of replication is the launch, a process: rounds within one share its memory layout and its machine's state, and tests
that take them for independent fire on identical code (Kalibera & Jones 2013). Everything is done on logarithms of seconds.

- *slower* (red): the effect exceeds the margin, by a one-sided t-test whose p-values are corrected over all benchmarks of the run
  (Holm 1979: the probability of any false alarm in a run is at most ``alpha``) and over the looks of sequential sampling
  (Bonferroni).
- *same*: two one-sided tests (Schuirmann 1987) put the effect within the equivalence bounds.
- *faster*: as slower, the other way round.
- *inconclusive*: none of these; says how many launches *same* would take.

A benchmark's own variance over few launches is poorly known, so what all benchmarks of the run have in common moderates it (Smyth
2004, doi:10.2202/1544-6115.1027, eqs 4 and 8); where it is larger than that makes likely, as with one wild launch, it counts alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, special, stats

Decision = Literal["slower", "faster", "same", "inconclusive"]
MOST_LAUNCHES = 200
WILD = 0.01  # how improbable a benchmark's own variance must be under the common one to count alone


@dataclass(frozen=True)
class Rule:
    """How to decide.

    Attributes:
        margin: tolerated relative change: 0.02 is 2 %.
        equivalence: largest relative change of *same*.
        alpha: probability of any false alarm in a run; also of a wrong *same*, per benchmark, times five.
        power: with which the minimum detectable effect is stated.
        looks: how often a verdict may be asked for as launches come in.
        between_occasion_sd: standard deviation of what remains between two occasions on one machine after the yardstick (log scale); more
            launches do not reduce it. 0 where both sides run at the same time.
    """

    margin: float = 0.02
    equivalence: float = 0.03
    alpha: float = 0.01
    power: float = 0.95
    looks: int = 1
    between_occasion_sd: float = 0.0


@dataclass(frozen=True)
class LaunchSample:
    """What launches say of one benchmark, on the log scale.

    Attributes:
        effect: mean log(head / base).
        variance: between launches; freedom: its degrees of freedom.
        launches: of the head, the side that can be sampled further; others: 1/n of the other side's launches, 0 where paired.
        margin: tolerated relative change in this benchmark, where it is larger than the rule's.
    """

    effect: float
    variance: float
    freedom: int
    launches: int
    others: float = 0.0
    margin: float = 0.0


@dataclass(frozen=True)
class LatencyVerdict:
    """A decision and everything that it rests on; effects are ratios less one.

    Attributes:
        low, high: interval of the effect, at one-sided level ``alpha`` on each side, of this benchmark alone.
        p: of the effect not exceeding the margin, corrected for all benchmarks and looks.
        detectable: the smallest true slow-down that this many launches call with the rule's power.
        margin, equivalence: relative change that was tolerated, and the largest one of *same*.
        needed: launches in all after which *same* or *slower* could be said; None where no number of them is enough.
    """

    decision: Decision
    effect: float
    low: float
    high: float
    p: float
    detectable: float
    launches: int
    needed: int | None
    margin: float
    equivalence: float


def paired_sample(differences: Sequence[float]) -> LaunchSample:
    """Both sides measured in the same launches: ``differences`` are log(head / base) of each.

    Raises:
        ValueError: fewer than two.
    """
    values = np.asarray(differences, dtype=float)
    if len(values) < 2:
        raise ValueError("at least two launches")
    return LaunchSample(float(values.mean()), float(values.var(ddof=1)), len(values) - 1, len(values))


def unpaired_sample(base: Sequence[float], head: Sequence[float]) -> LaunchSample:
    """Sides measured on different occasions: logarithms of each launch's normalised seconds.

    Raises:
        ValueError: fewer than two of either.
    """
    b, h = np.asarray(base, dtype=float), np.asarray(head, dtype=float)
    if min(len(b), len(h)) < 2:
        raise ValueError("at least two launches of either side")
    freedom = len(b) + len(h) - 2
    variance = float(((b - b.mean()) ** 2).sum() + ((h - h.mean()) ** 2).sum()) / freedom
    return LaunchSample(float(h.mean() - b.mean()), variance, freedom, len(h), 1.0 / len(b))


def prior(samples: Sequence[LaunchSample]) -> tuple[float, float]:
    """Degrees of freedom and variance that the run's benchmarks have in common; (0, 0) where too few tell nothing.

    Smyth 2004, section 6.2: moments of log variances; the degrees of freedom solve ``trigamma(d0 / 2) = spread``.
    """
    known = [s for s in samples if s.variance > 0]
    if len(known) < 4:
        return 0.0, 0.0
    freedom = np.array([s.freedom for s in known], dtype=float)
    shifted = np.log([s.variance for s in known]) - special.digamma(freedom / 2) + np.log(freedom / 2)
    spread = float(shifted.var(ddof=1) - special.polygamma(1, freedom / 2).mean())
    largest = 1000.0  # beyond it the benchmarks do not differ in variance
    if spread <= float(special.polygamma(1, largest / 2)):
        d0 = largest
    elif spread >= float(special.polygamma(1, 1e-3)):
        return 0.0, 0.0
    else:
        d0 = 2 * float(optimize.brentq(lambda half: float(special.polygamma(1, half)) - spread, 1e-3, largest / 2))
    return d0, float(np.exp(shifted.mean() + special.digamma(d0 / 2) - np.log(d0 / 2)))


@dataclass(frozen=True)
class _Error:
    """Standard error of an effect as a function of the head's launches, and the margin and equivalence bound as logarithms."""

    variance: float
    freedom: float
    others: float
    between_occasion_sd: float
    margin: float
    bound: float

    def at(self, launches: int) -> float:
        return math.sqrt(self.variance * (1 / launches + self.others) + self.between_occasion_sd**2)

    def quantile(self, tail: float) -> float:
        return float(stats.t.isf(tail, self.freedom))

    def reach(self, tail: float, power: float) -> float:
        """Standard errors beyond the margin that a test at this level calls with this power (noncentral t)."""
        return float(special.nctdtrinc(self.freedom, 1 - power, self.quantile(tail)))


def _error(sample: LaunchSample, common: tuple[float, float], rule: Rule) -> _Error:
    d0, s0 = common
    freedom = d0 + sample.freedom
    moderated = max((d0 * s0 + sample.freedom * sample.variance) / freedom, 1e-12)
    margin, bound = (math.log1p(max(limit, sample.margin)) for limit in (rule.margin, rule.equivalence))
    if sample.variance > moderated * stats.chi2.isf(WILD, sample.freedom) / sample.freedom:
        return _Error(sample.variance, sample.freedom, sample.others, rule.between_occasion_sd, margin, bound)
    return _Error(moderated, freedom, sample.others, rule.between_occasion_sd, margin, bound)


def _needed(sample: LaunchSample, error: _Error, rule: Rule, level: float) -> int | None:
    """Launches after which the present effect, if it is the true one, would be called one way or the other."""
    bound, margin = error.bound, error.margin
    for n in range(sample.launches + 1, MOST_LAUNCHES + 1):
        spread = error.at(n)
        if error.quantile(5 * rule.alpha) * spread <= bound - abs(sample.effect) or abs(sample.effect) - margin >= error.quantile(level) * spread:
            return n
    return None


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p-values (Holm 1979)."""
    corrected: dict[str, float] = {}
    largest = 0.0
    for rank, (name, value) in enumerate(sorted(p.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, value * (len(p) - rank)))
        corrected[name] = largest
    return corrected


def judge(samples: Mapping[str, LaunchSample], rule: Rule, family: int | None = None) -> dict[str, LatencyVerdict]:
    """Every benchmark of a run.

    Args:
        samples: by benchmark.
        family: how many benchmarks the run has in all, where ``samples`` are only some of them.
    """
    common = prior(list(samples.values()))
    errors = {name: _error(s, common, rule) for name, s in samples.items()}
    scale = (max(family or 0, len(samples)) / max(1, len(samples))) * rule.looks

    def tails(sign: int) -> dict[str, float]:
        raw = {n: float(stats.t.sf((sign * s.effect - errors[n].margin) / errors[n].at(s.launches), errors[n].freedom)) for n, s in samples.items()}
        return {n: min(1.0, p * scale) for n, p in holm(raw).items()}

    slower, faster = tails(1), tails(-1)
    verdicts = {}
    for name, sample in samples.items():
        error = errors[name]
        spread = error.at(sample.launches)
        level = rule.alpha / rule.looks
        reach = error.quantile(level) * spread
        decision: Decision = "inconclusive"
        if slower[name] <= rule.alpha:
            decision = "slower"
        elif faster[name] <= rule.alpha:
            decision = "faster"
        elif abs(sample.effect) + error.quantile(5 * rule.alpha) * spread <= error.bound:
            decision = "same"
        strict = level / max(family or 0, len(samples))
        verdicts[name] = LatencyVerdict(
            decision=decision,
            effect=math.expm1(sample.effect),
            low=math.expm1(sample.effect - reach),
            high=math.expm1(sample.effect + reach),
            p=slower[name],
            detectable=math.expm1(error.margin + error.reach(strict, rule.power) * spread),
            launches=sample.launches,
            needed=_needed(sample, error, rule, strict) if decision == "inconclusive" else None,
            margin=math.expm1(error.margin),
            equivalence=math.expm1(error.bound),
        )
    return verdicts
