"""How often does the latency gate fire on identical code, and how often does it see 3, 5, 10, 20 %? Beside pytest-benchmark's rules.

    python benchmarks/gate_power.py launches --count 100 --data DIR     # launches, each measuring every variant of every benchmark
    python benchmarks/gate_power.py pairs --count 120 --data DIR        # pairs of resident workers, base against slowed head
    python benchmarks/gate_power.py report --data DIR                   # error rates with Clopper-Pearson intervals

Variants are the same block with extra tensor work inside its forward, worth a share of its own time. Launches and pairs are
appended to DIR as they are made, with the machine's load, so that a run can be cut off and gone on with; ``report`` replays the
gate's own rules, looks and corrections on them: a comparison takes the next launches that no comparison before it has used.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pytest_benchmark.utils import PercentageRegressionCheck
from scipy import stats

from mpcheck.bench.decide.decision import LatencyVerdict, LaunchSample, Rule, judge, paired_sample
from mpcheck.bench.decide.units import yardstick_of
from mpcheck.bench.decide.verdicts import PAIRED, STORED, stored_sample
from mpcheck.bench.figures import CROWDED, Launch
from mpcheck.bench.launch.crowding import quietest
from mpcheck.bench.launch.measurement import PAIRED_EFFORT, STORED_EFFORT, request
from mpcheck.bench.launch.paired import alternate
from mpcheck.bench.launch.processes import launched
from mpcheck.bench.timing.sampling import Readings, launch_of
from mpcheck.bench.work.pinning import processors
from mpcheck.sessions.run import Options

SHARES = (0.0, 0.03, 0.05, 0.10, 0.20)
MAIN_SHARES = (0.0, 0.05, 0.10)  # the others are measured in every other launch
SYSTEM = "builtin:water"
BENCHMARKS = [
    f"{SYSTEM}*1/{name}"
    for name in (
        "radial_embedding-e3nn-float32-forward",
        "interactions.0-e3nn-float32-forward",
        "interactions.0.conv_tp_weights-e3nn-float32-forward",
        "interactions.1.linear-e3nn-float32-forward+backward",
        "interactions.1.conv_tp-e3nn-float32-forward",
        "products.0.symmetric_contractions-e3nn-float32-forward",
        "readouts.1-e3nn-float32-forward",
        "model-e3nn-float32-energy",
    )
]
WORKER = (str(Path(__file__).with_name("slowed_worker.py")),)
LOAD = request(Options(systems=(SYSTEM,), backends=("e3nn",), formats=("float32",)), (1,), ("forward", "forward+backward", "energy", "energy+forces"))
ROUNDS_SECONDS = 0.05  # of pytest-benchmark's rounds; its default is 1 s, which 40 variants a launch would not end with
STORED_LAUNCHES = 16  # of a baseline
GROUP = 8  # launches of a run at its last look


def _append(path: Path, entry: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"at": time.time(), "load": os.getloadavg()[0], **entry}) + "\n")


def _shuffled(rng: random.Random, shares: Sequence[float]) -> list[tuple[str, float]]:
    variants = [(name, share) for name in BENCHMARKS for share in shares]
    rng.shuffle(variants)
    return variants


def collect_launches(path: Path, count: int) -> None:
    rng = random.Random(time.time_ns())
    for number in range(count):
        with launched("launch", 1, arguments=WORKER) as (process, _):
            process.ask("load", **LOAD, cpus=quietest(processors(), 1))
            shares, plan = SHARES if number % 2 else MAIN_SHARES, STORED_EFFORT.plan
            passes: dict[tuple[str, float], list[Readings]] = {}
            for turn in range(plan.passes):
                for name, share in _shuffled(rng, shares):
                    process.ask("slow", key=name, share=share)
                    read = Readings(**process.ask("measure", key=name, plan=asdict(plan), first=not turn))
                    passes.setdefault((name, share), []).append(read)
            figures: dict[str, dict[str, Any]] = {}
            for name, share in _shuffled(rng, shares):
                process.ask("slow", key=name, share=share)
                rounds = process.ask("rounds", key=name, seconds=ROUNDS_SECONDS)
                figures.setdefault(name, {})[str(share)] = {"launch": launch_of(passes[name, share]).model_dump(), "rounds": rounds}
        _append(path, {"benchmarks": figures})
        print(f"launch {number + 1} of {count}, load {os.getloadavg()[0]:.1f}", flush=True)


def collect_pairs(path: Path, count: int, shares: Sequence[float]) -> None:
    rng = random.Random(time.time_ns())
    for number in range(count):
        with ExitStack() as stack:
            order = ("base", "head") if number % 2 else ("head", "base")
            pair = {side: stack.enter_context(launched(side, 1, arguments=WORKER))[0] for side in order}
            cpus = quietest(processors(), 1)
            for process in pair.values():
                process.ask("load", **LOAD, cpus=cpus)
            logs: dict[str, dict[str, list[float]]] = {}
            for turn in range(PAIRED_EFFORT.plan.passes):
                for name, share in _shuffled(rng, shares):
                    pair["base"].ask("slow", key=name, share=0.0)
                    pair["head"].ask("slow", key=name, share=share)
                    difference = alternate(pair["base"], pair["head"], name, PAIRED_EFFORT.plan, turn)[2]
                    logs.setdefault(name, {}).setdefault(str(share), []).append(difference)
            medians = {name: {share: statistics.median(values) for share, values in own.items()} for name, own in logs.items()}
        _append(path, {"benchmarks": medians})
        print(f"pair {number + 1} of {count}, load {os.getloadavg()[0]:.1f}", flush=True)


def _entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


class Tally:
    """Comparisons and how many of them fired, by rule and share."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, float], list[int]] = {}

    def add(self, rule: str, share: float, fired: bool) -> None:
        """One comparison."""
        entry = self.counts.setdefault((rule, share), [0, 0])
        entry[0] += 1
        entry[1] += fired

    def table(self, shares: Sequence[float]) -> Iterator[str]:
        """Rates with exact 95 % intervals, a row a rule."""
        yield "| rule | " + " | ".join("identical code: false alarms" if not s else f"{100 * s:g} % slower: called" for s in shares) + " |"
        yield "|---|" + "---:|" * len(shares)
        for rule in dict.fromkeys(rule for rule, _ in self.counts):
            row = []
            for share in shares:
                tried, fired = self.counts.get((rule, share), (0, 0))
                if not tried:
                    row.append("–")
                    continue
                interval = stats.binomtest(fired, tried).proportion_ci(0.95, "exact")
                row.append(f"{fired} of {tried} = {100 * fired / tried:.1f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}]")
            yield f"| {rule} | " + " | ".join(row) + " |"


def _sequential(samples: Any, looks: Sequence[int], rule: Rule, available: int) -> Iterator[tuple[str, LatencyVerdict]]:
    """Comparisons one after another, each with launches of its own; the benchmarks of a run are judged together."""
    for name in BENCHMARKS:
        start = 0
        while start + looks[0] <= available:
            verdict, used = None, looks[0]
            for look in looks:
                if start + look > available:
                    verdict = None  # cut off before its end: not counted
                    break
                verdict, used = judge(samples(start, look), replace(rule, looks=len(looks)))[name], look
                if verdict.decision != "inconclusive" or verdict.needed is None:
                    break
            if verdict is None:
                break
            yield name, verdict
            start += used


def _mean_effect(base: dict[str, list[Launch]], head: dict[str, list[Launch]]) -> float:
    logs = [math.log(h.normalised["all"] / b.normalised["all"]) for n in BENCHMARKS for b, h in zip(base[n], head[n], strict=True)]
    return math.expm1(math.fsum(logs) / len(logs)) if logs else math.nan


def report_launches(entries: list[dict[str, Any]]) -> Iterator[str]:
    tally, detectable = Tally(), []
    quiet = [e for e in entries if statistics.median(e["benchmarks"][n]["0.0"]["launch"]["waiting"] for n in BENCHMARKS) <= CROWDED]
    base, rest = quiet[:STORED_LAUNCHES], quiet[STORED_LAUNCHES:]  # a run makes another launch in a crowded one's place

    def stored(part: list[dict[str, Any]], name: str, share: float) -> list[Launch]:
        return [Launch.model_validate(e["benchmarks"][name][str(share)]["launch"]) for e in part]

    kept = {name: stored(base, name, 0.0) for name in BENCHMARKS}
    effects = []
    for share in SHARES:
        own = [e for e in rest if str(share) in e["benchmarks"][BENCHMARKS[0]]]
        heads = {name: stored(own, name, share) for name in BENCHMARKS}
        clean = {name: stored(own, name, 0.0) for name in BENCHMARKS}
        effects.append(f"{100 * share:g} %: {100 * _mean_effect(clean, heads):.1f} %")

        def samples(start: int, look: int, heads: dict[str, list[Launch]] = heads) -> dict[str, LaunchSample]:
            sampled = {n: stored_sample(kept[n], heads[n][start : start + look]) for n in BENCHMARKS}
            return {n: s[0] for n, s in sampled.items() if s is not None}

        for _, verdict in _sequential(samples, STORED_EFFORT.looks, STORED, len(own)):
            tally.add("mpcheck, stored baseline", share, verdict.decision == "slower")
            tally.add("  says: no larger change than the equivalence bound", share, verdict.decision == "same")
            detectable.append(verdict.detectable)
        if share and share in MAIN_SHARES:  # identical code, too: the slowed block against a baseline of itself
            again = {name: stored(base, name, share) for name in BENCHMARKS}

            def same_code(
                start: int, look: int, heads: dict[str, list[Launch]] = heads, again: dict[str, list[Launch]] = again
            ) -> dict[str, LaunchSample]:
                sampled = {n: stored_sample(again[n], heads[n][start : start + look]) for n in BENCHMARKS}
                return {n: s[0] for n, s in sampled.items() if s is not None}

            for _, verdict in _sequential(same_code, STORED_EFFORT.looks, STORED, len(own)):
                tally.add("mpcheck, stored baseline", 0.0, verdict.decision == "slower")
                tally.add("  says: no larger change than the equivalence bound", 0.0, verdict.decision == "same")
        for field in ("mean", "median", "min"):
            for percent in (5, 10):
                for before, after in zip(entries[::2], entries[1::2], strict=False):
                    for name in BENCHMARKS if str(share) in after["benchmarks"][BENCHMARKS[0]] else ():
                        old, new = before["benchmarks"][name]["0.0"]["rounds"], after["benchmarks"][name][str(share)]["rounds"]
                        tally.add(f"pytest-benchmark {field}:{percent}%", share, bool(PercentageRegressionCheck(field, percent).fails(new, old)))
    yield from _conditions("launches", entries)
    yield f"{len(entries) - len(quiet)} of them on a crowded processor, set aside by mpcheck\n"
    yield from tally.table(SHARES)
    yield f"\nPlanted and, over all launches, measured: {'; '.join(effects)}."
    yield f"Minimum detectable effect stated with the verdicts: median {100 * sorted(detectable)[len(detectable) // 2]:.1f} %."
    yield from _variation({n: stored(quiet, n, 0.0) for n in BENCHMARKS}, {n: yardstick_of(kept[n]) for n in BENCHMARKS})


def report_pairs(entries: list[dict[str, Any]]) -> Iterator[str]:
    tally, detectable = Tally(), []
    shares = [s for s in SHARES if str(s) in entries[0]["benchmarks"][BENCHMARKS[0]]]
    for share in shares:

        def samples(start: int, look: int, share: float = share) -> dict[str, LaunchSample]:
            return {n: paired_sample([e["benchmarks"][n][str(share)] for e in entries[start : start + look]]) for n in BENCHMARKS}

        for _, verdict in _sequential(samples, PAIRED_EFFORT.looks, PAIRED, len(entries)):
            tally.add("mpcheck, same-job A/B", share, verdict.decision == "slower")
            tally.add("  says: no larger change than the equivalence bound", share, verdict.decision == "same")
            detectable.append(verdict.detectable)
    yield from _conditions("pairs", entries)
    if not detectable:
        yield f"too few for one comparison, which takes {PAIRED_EFFORT.looks[0]}"
        return
    yield from tally.table(shares)
    yield f"\nMinimum detectable effect stated with the verdicts: median {100 * sorted(detectable)[len(detectable) // 2]:.1f} %."
    yield "\nPairs of identical code differ by (standard deviation of the logarithm):\n"
    for n in BENCHMARKS:
        yield f"- {n.partition('/')[2]}: {100 * _deviation([e['benchmarks'][n]['0.0'] for e in entries]):.2f} %"


def _conditions(what: str, entries: list[dict[str, Any]]) -> Iterator[str]:
    loads = sorted(e["load"] for e in entries)
    hours = (entries[-1]["at"] - entries[0]["at"]) / 3600
    yield f"\n{len(entries)} {what} over {hours:.1f} h, load average {loads[0]:.1f} to {loads[-1]:.1f} (median {loads[len(loads) // 2]:.1f})\n"


def _variation(own: dict[str, list[Launch]], units: dict[str, str]) -> Iterator[str]:
    """What launches of identical code vary by, one from another and one group of them from the next."""
    raw = {n: [math.log(x.seconds) for x in own[n]] for n in BENCHMARKS}
    scaled = {n: [math.log(x.normalised[units[n]]) for x in own[n]] for n in BENCHMARKS}
    yield "\nIdentical code, launches on a processor of their own, standard deviations of the logarithm:\n"
    yield f"| benchmark | yardstick | between launches, seconds | in yardsticks | between groups of {GROUP}, seconds | in yardsticks |"
    yield "|---|---|---:|---:|---:|---:|"
    for n in BENCHMARKS:
        figures = (_deviation(raw[n]), _deviation(scaled[n]), _root(_between(raw[n])), _root(_between(scaled[n])))
        yield f"| {n.partition('/')[2]} | {units[n]} | " + " | ".join(f"{100 * x:.2f} %" for x in figures) + " |"
    both = [_root(statistics.fmean(_between(logs[n]) for n in BENCHMARKS)) for logs in (raw, scaled)]
    yield f"| all together | | | | {100 * both[0]:.2f} % | {100 * both[1]:.2f} % |"
    groups = len(raw[BENCHMARKS[0]]) // GROUP
    yield f"\nBetween groups: what the mean of {GROUP} consecutive launches varies by beyond their own spread, {groups} groups;"
    yield f"the standard deviation that the rule assumes between occasions is {100 * STORED.between_occasion_sd:g} %."


def _deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else math.nan


def _between(values: Sequence[float]) -> float:
    """Variance of the means of consecutive groups beyond what the spread within them makes: one-way analysis of variance, may be negative."""
    groups = [values[i : i + GROUP] for i in range(0, len(values) - GROUP + 1, GROUP)]
    if len(groups) < 2:
        return math.nan
    return statistics.variance(statistics.fmean(g) for g in groups) - statistics.fmean(statistics.variance(g) for g in groups) / GROUP


def _root(variance: float) -> float:
    """Standard deviation; 0 of an estimate below 0, which is how none looks."""
    return variance if math.isnan(variance) else math.sqrt(max(0.0, variance))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("launches", "pairs", "report"))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--share", type=float, action="append", default=[], help="of the pairs' variants; default: all")
    args = parser.parse_args()
    args.data.mkdir(parents=True, exist_ok=True)
    launches, pairs = args.data / "launches.jsonl", args.data / "pairs.jsonl"
    if args.what == "launches":
        collect_launches(launches, args.count)
    elif args.what == "pairs":
        collect_pairs(pairs, args.count, args.share or SHARES)
    else:
        for path, render in ((launches, report_launches), (pairs, report_pairs)):
            if entries := _entries(path):
                print("\n".join(render(entries)))


if __name__ == "__main__":
    main()
