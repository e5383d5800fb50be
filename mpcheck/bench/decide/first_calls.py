"""Is the start slower? First calls, and first calls on a new shape, judged as steady states are: a process is one observation.

A first call varies more between launches than a steady state, and matters less: the margin is a change that a user would notice.
And it is never called slower by less time than one steady call of the largest work of the run takes on the same system, backend and
format, the whole model's mostly: whoever waits for a model to start does not notice one evaluation more.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mpcheck._names import FIRST_CALL, NEW_SHAPE
from mpcheck.bench.decide.decision import LatencyVerdict, LaunchSample, Rule, judge, paired_sample, unpaired_sample
from mpcheck.bench.decide.outcomes import Standing, latency_finding
from mpcheck.bench.figures import BenchFigures, Start
from mpcheck.bench.keys import parse_id
from mpcheck.records.record import Record
from mpcheck.records.tensors import finite

if TYPE_CHECKING:
    from mpcheck.bench.launch.paired import PairedMeasurement

STORED_START = Rule(margin=0.5, equivalence=1.0, between_occasion_sd=0.05)
"""Against stored first calls. Between launches they vary by 6 % (median over the 76 benchmarks of the built-in model on e3nn, standard
deviation of the logarithm), 16 % (one in twenty), 24 % (the worst), on two processors with other work on both. The margin is 2.5
of those of one in twenty. The deviation between occasions is an assumption: far below the margin, and more than the steady state's, as nothing
corrects first calls for the machine's speed on that day."""
PAIRED_START = Rule(margin=0.5, equivalence=1.0)
"""Base against head, whose processes start side by side."""
KINDS: dict[str, tuple[str, str]] = {FIRST_CALL: ("first", "after"), NEW_SHAPE: ("shape", "shape_after")}
"""By check, the seconds' field of a :class:`mpcheck.bench.figures.Start`, and the one that tells what had been called before."""
Name = tuple[str, str]
"""A benchmark, and which of the two is judged."""
NONE_STORED = "the stored figures are older than they are; store new ones with `mpcheck baseline update`"
OTHERS_BEFORE = "in the stored launches other benchmarks had been called before, and compiled for them; measure the same selection, or use --against"
TOO_FEW = "fewer than two launches on a side"


@dataclass(frozen=True)
class Pair:
    """First calls of base and head.

    Attributes:
        base, head: seconds, one a process; the same processes' where ``together``.
        least: seconds by which the head must be slower to matter.
    """

    base: Sequence[float]
    head: Sequence[float]
    least: float
    together: bool

    def sample(self) -> LaunchSample:
        """On the log scale, with the margin that ``least`` seconds are."""
        base, head = ([math.log(x) for x in side] for side in (self.base, self.head))
        logs = paired_sample([h - b for b, h in zip(base, head, strict=True)]) if self.together else unpaired_sample(base, head)
        return replace(logs, margin=self.least / math.exp(statistics.fmean(base)))


@dataclass
class Starts:
    """What was found of a run's first calls.

    Attributes:
        pairs: what was compared; verdicts: of each.
        refused: what the head cannot run on a new shape though the base can, and why.
        unjudged: how many benchmarks have no verdict, by reason.
    """

    pairs: dict[Name, Pair] = field(default_factory=dict)
    verdicts: dict[Name, LatencyVerdict] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unjudged: Counter[str] = field(default_factory=Counter)

    @property
    def undecided(self) -> bool:
        """Whether more launches might decide one."""
        return any(v.decision == "inconclusive" and v.needed is not None for v in self.verdicts.values())

    @property
    def notes(self) -> list[str]:
        """Why some were not judged, a line a reason."""
        return [f"first calls of {count} benchmarks are not judged: {reason}" for reason, count in self.unjudged.items()]


def judge_pairs(pairs: Mapping[Any, Pair], rule: Rule = PAIRED_START) -> dict[Any, LatencyVerdict]:
    """Verdicts on first calls, corrected for all of them.

    Raises:
        ValueError: fewer than two on a side.
    """
    return judge({name: pair.sample() for name, pair in pairs.items()}, rule)


def longest(seconds: Mapping[str, float]) -> dict[str, float]:
    """By benchmark, the seconds of the longest steady call on the same system, backend and format."""
    groups = {name: tuple(parse_id(name).get(f) for f in ("system", "batch", "backend", "format")) for name in seconds}
    most: dict[tuple[object, ...], float] = {}
    for name, group in groups.items():
        most[group] = max(most.get(group, 0.0), seconds[name])
    return {name: most[group] for name, group in groups.items()}


def steady(cells: Mapping[str, BenchFigures]) -> dict[str, float]:
    """Median seconds of a steady call, by benchmark."""
    return {name: statistics.median(launch.seconds for launch in figures.launches) for name, figures in cells.items()}


def seconds(base: Sequence[Start], head: Sequence[Start], kind: str) -> tuple[list[float], list[float], str]:
    """Seconds of either side's first calls that came after the same benchmarks; why there are too few, where there are."""
    if not base:
        return [], [], NONE_STORED
    what, before = KINDS[kind]
    after = Counter(getattr(s, before) for s in base).most_common(1)[0][0]
    kept = [[s for s in side if getattr(s, before) == after] for side in (base, head)]
    if head and not kept[1]:
        return [], [], OTHERS_BEFORE
    b, h = ([float(x) for s in side if (x := getattr(s, what)) is not None] for side in kept)
    return b, h, TOO_FEW if min(len(b), len(h)) < 2 else ""


def _add(starts: Starts, name: str, base: Sequence[Start], head: Sequence[Start], least: float, together: bool) -> None:
    """A benchmark's first calls and new shapes, as far as both sides have them."""
    told = {s.refused for s in head if s.broken}
    if told and base and all(s.shape is not None for s in base):
        starts.refused[name] = min(told)
    for kind in KINDS:
        b, h, reason = seconds(base, head, kind)
        if not reason:
            starts.pairs[name, kind] = Pair(b, h, least, together)
        elif kind == FIRST_CALL:
            starts.unjudged[reason] += 1


def stored_starts(figures: Mapping[str, BenchFigures], base: Mapping[str, BenchFigures], rule: Rule = STORED_START) -> Starts:
    """First calls against the stored ones of every benchmark that both have."""
    starts, most = Starts(), longest(steady(base))
    for name in figures:
        if name in base:
            _add(starts, name, base[name].starts, figures[name].starts, most[name], together=False)
    starts.verdicts = judge_pairs(starts.pairs, rule)
    return starts


def paired_starts(measured: PairedMeasurement, rule: Rule = PAIRED_START) -> Starts:
    """First calls of base and head in every pair of launches."""
    starts = Starts()
    most = longest({name: statistics.median(values) for name, values in measured.seconds["base"].items()})
    for name in measured.differences:
        base, head = (measured.starts[side].get(name, []) for side in ("base", "head"))
        both = [(b, h) for b, h in zip(base, head, strict=True) if (b.shape is None) == (h.shape is None)]
        _add(starts, name, base, head, most[name], together=True)
        if len(both) < len(base):  # one side refuses the other shape
            starts.pairs.pop((name, NEW_SHAPE), None)
    starts.verdicts = judge_pairs(starts.pairs, rule)
    return starts


def start_findings(starts: Starts, name: str, rule: Rule) -> list[Record]:
    """Findings of one benchmark's first calls: checks ``first-call`` and ``new-shape``; none where there is nothing to compare with."""
    fields, records = parse_id(name), list[Record]()
    for kind in KINDS:
        pair, verdict = starts.pairs.get((name, kind)), starts.verdicts.get((name, kind))
        if pair is not None and verdict is not None:
            sides = {"first_calls_ms": pair.head, "base_first_calls_ms": pair.base}
            metrics: dict[str, Any] = {n: finite(1e3 * statistics.median(values)) for n, values in sides.items()}
            records.append(latency_finding(fields, verdict, rule, Standing(), metrics | {"least_ms": finite(1e3 * pair.least)}, kind))
    if name in starts.refused:
        records.append(Record(check=NEW_SHAPE, **fields, verdict="fail", reason=f"with another number of structures: {starts.refused[name]}"))
    return records
