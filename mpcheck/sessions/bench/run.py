"""One bench session: what is measured, against what, and what was found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.stored import Model
from mpcheck._names import COVERAGE, LATENCY
from mpcheck._unsupported import BASELINE
from mpcheck.bench.decide.decision import Rule
from mpcheck.bench.decide.first_calls import PAIRED_START, STORED_START, Starts, paired_starts, start_findings, stored_starts
from mpcheck.bench.decide.outcomes import Standing
from mpcheck.bench.decide.verdicts import PAIRED, STORED, gone, paired_findings, paired_verdicts, stored_findings, stored_verdicts, unclear
from mpcheck.bench.figures import BenchFigures
from mpcheck.bench.keys import BenchKey, check_work, fields_of
from mpcheck.bench.launch.measurement import PAIRED_EFFORT, STORED_EFFORT, Effort, Measurement, request, run_launches
from mpcheck.bench.launch.paired import PairedMeasurement, run_paired
from mpcheck.bench.launch.refs import same_sources, sides
from mpcheck.bench.timing.yardstick import ALGORITHM
from mpcheck.bench.work.workloads import Workloads
from mpcheck.history.latency.aa_rate import aa_path, read_aa
from mpcheck.history.latency.baseline import BenchBaseline, bench_path, provenance_of, stored_for
from mpcheck.history.latency.device import DeviceKey, device_key
from mpcheck.judge.capabilities import asked
from mpcheck.judge.known_faults import apply_known_faults, class_names
from mpcheck.records.record import Record
from mpcheck.records.shards import divide, parse_shard
from mpcheck.sessions.bench import BenchOptions
from mpcheck.sessions.bench.options import checked, narrowed
from mpcheck.sessions.run import Session


class BenchRun:
    """Measures at first need, all benchmarks together: a launch costs seconds before it measures anything."""

    def __init__(self, options: BenchOptions) -> None:
        """Raises:
        InputError: bad input, or a selection without any benchmark.
        """
        checked(options)
        self.options = narrowed(options)
        self.session = Session(self.options)
        self.workloads = Workloads(self.session, options.batches, check_work(self.options.works))
        self.every: list[BenchKey] = self.workloads.keys()
        self.keys = self._part()
        if not self.every:
            raise InputError(f"no benchmark is selected: --work {','.join(self.options.works)} is none of what the chosen blocks do; choose others")
        self.progress = self.session.options.progress
        if not options.against:
            self.stored  # noqa: B018 - a damaged file is told of before minutes are spent on measuring
        self.standing  # noqa: B018 - likewise

    def _part(self) -> list[BenchKey]:
        """Benchmarks that are this run's: those of its shard."""
        if not self.options.shard or not self.every:
            return self.every
        shard = parse_shard(self.options.shard)
        parts = divide([key.id for key in self.every], shard.of)
        return [key for key, part in zip(self.every, parts, strict=True) if part == shard.number]

    def left_out(self) -> dict[str, list[str]]:
        """Benchmarks of blocks and systems that the user left out, by kind."""
        options, chosen = self.session.options, {key.subject for key in self.every}
        left = {kind: names for kind, names in self.session.narrowed().items() if kind == "systems"}
        blocks = [b for b in self.workloads.subjects() if b not in chosen] if options.blocks else []
        return left | ({"blocks": blocks} if blocks else {})

    @cached_property
    def device(self) -> DeviceKey:
        """Where and with what it is measured."""
        return device_key(str(self.session.device), self.options.threads)

    @cached_property
    def rule(self) -> Rule:
        """How it is decided."""
        rule = replace(PAIRED if self.options.against else STORED, looks=len(self.effort.looks))
        if not self.options.margin:
            return rule
        return replace(rule, margin=self.options.margin, equivalence=max(rule.equivalence, self.options.margin))

    @cached_property
    def start_rule(self) -> Rule:
        """How first calls are decided; a margin of the user's counts where it is larger."""
        rule, margin = replace(PAIRED_START if self.options.against else STORED_START, looks=len(self.effort.looks)), self.options.margin
        return replace(rule, margin=max(rule.margin, margin), equivalence=max(rule.equivalence, margin))

    @cached_property
    def effort(self) -> Effort:
        """How much is measured."""
        usual = PAIRED_EFFORT if self.options.against else STORED_EFFORT
        least = self.options.launches
        looks = tuple(sorted({least, *(look for look in usual.looks if look > least)})) if least else usual.looks
        return replace(usual, looks=looks, seconds=self.options.seconds or usual.seconds, threads=self.options.threads)

    @cached_property
    def standing(self) -> Standing:
        """Whether this machine's own rate of false alarms lets it gate."""
        rates = read_aa(aa_path(self.options.directory, self.device.slug))
        rate = rates.of("ab" if self.options.against else "stored") if rates is not None and not rates.device.matches(self.device) else None
        if rate is None:
            return Standing(True, "its own rate of false alarms has not been measured (mpcheck bench --calibrate)")
        return Standing(rate.may_gate is not False, rate.reason)

    @cached_property
    def stored(self) -> tuple[BenchBaseline | None, str]:
        """The baseline, or why there is none to compare with."""
        digests = {name: system.digest for name, system in self.session.systems.items()}
        path = bench_path(self.options.directory, self.device.slug)
        return stored_for(path, self.device, self.session.model.digest, digests, self._comparable)

    @property
    def _comparable(self) -> dict[str, int | str | bool]:
        return {"seed": self.session.seed, "yardstick": ALGORITHM, "flush_l2": self.options.flush_l2}

    def _base(self) -> dict[str, BenchFigures] | None:
        return self.stored[0].cells if self.stored[0] is not None else None

    def _load(self) -> dict[str, object]:
        own = {key.id for key in self.keys}
        skip = [key.id for key in self.every if key.id not in own]
        return request(self.session.options, self.options.batches, self.options.works, self.options.flush_l2, skip)

    @cached_property
    def measurement(self) -> Measurement:
        """Launches against the stored baseline."""

        def undecided(so_far: Measurement) -> Iterable[str]:
            return unclear({n: v for n, (v, _) in stored_verdicts(so_far.figures, self._base() or {}, self.rule).items()})

        def restart(so_far: Measurement) -> bool:
            return stored_starts(so_far.figures, self._base() or {}, self.start_rule).undecided

        return run_launches(self._load(), self.effort, undecided, self.progress, restart)

    @cached_property
    def paired(self) -> PairedMeasurement:
        """Pairs of launches, base against head."""
        with sides(self.options.against, Path.cwd()) as (base, head):
            return run_paired(
                base,
                head,
                self._load(),
                self.effort,
                lambda d: unclear(paired_verdicts(d, self.rule)),
                self.progress,
                lambda d: paired_starts(d, self.start_rule).undecided,
            )

    @cached_property
    def starts(self) -> Starts:
        """What was found of first calls."""
        if self.options.against:
            return paired_starts(self.paired, self.start_rule)
        return stored_starts(self.measurement.figures, self._base() or {}, self.start_rule)

    @cached_property
    def findings(self) -> dict[str, list[Record]]:
        """By benchmark; what concerns none that the run has is under an empty name."""
        if self.options.against:
            records = paired_findings(self.paired, self.rule, self.standing)
            known = {key.id for key in self.keys}
            reason = "neither base nor head has it, whose libraries are not this process's"
            lost = [k for k in self.keys if k.id not in records]
            records |= {k.id: [Record(check=LATENCY, **fields_of(k), verdict="unsupported", reason=reason)] for k in lost}
            self._add_starts(records)
            records[""] = [f for name in records if name not in known for f in records[name]] or [self._nothing_gone("base")]
            return self._all_required(records)
        base, missing = self.stored
        cells = base.cells if base is not None else None
        records = stored_findings(self.keys, self.measurement, cells, missing, self.rule, self.standing)
        self._add_starts(records)
        records[""] = gone(cells or {}, self.every, bool(self.session.options.blocks)) or [self._nothing_gone("the baseline" if cells else "")]
        return self._all_required(records)

    def _nothing_gone(self, where: str) -> Record:
        """The record of having looked for benchmarks that are gone, and found none."""
        record = Record(check=COVERAGE, subject="benchmarks", verdict="pass", reason=f"every benchmark of {where} is still there")
        if not where:
            return record.model_copy(update={"verdict": "no-baseline", "reason": "nothing is stored whose benchmarks could be gone"})
        if self.session.options.blocks:
            return record.model_copy(update={"verdict": "inconclusive", "reason": "blocks were chosen: whether others are gone was not asked"})
        return record

    def _add_starts(self, records: dict[str, list[Record]]) -> None:
        for name, own in records.items():
            own += start_findings(self.starts, name, self.start_rule)

    def _all_required(self, records: dict[str, list[Record]]) -> dict[str, list[Record]]:
        classes = class_names(self.session.reference_backend.model)
        return {n: [self._required(f) for f in apply_known_faults(fs, classes)] for n, fs in records.items()}

    def _required(self, finding: Record) -> Record:
        """A failure where what the user requires is missing."""
        if BASELINE in self.session.required and finding.verdict == "no-baseline" and not self.options.against:
            return finding.model_copy(update={"verdict": "fail", "reason": f"required: a baseline; {finding.reason}", "lacking": BASELINE})
        return asked(self.session, finding, finding.subject)

    def seconds(self, key: BenchKey) -> list[float]:
        """Of one call, in every round: the head's."""
        return self.paired.seconds["head"].get(key.id, []) if self.options.against else self.measurement.seconds.get(key.id, [])

    @property
    def notes(self) -> list[str]:
        """What a reader must know of the run, a line each."""
        lines = []
        if self.options.against:
            lines += [
                f"{side}: " + ", ".join(f"{n} {f['version']}" for n, f in self.paired.hello[side]["sources"].items()) for side in ("base", "head")
            ]
            if same_sources(self.paired.hello):
                lines.append("base and head import the same libraries: nothing that is measured differs between them")
        else:
            lines += [f"building the {name} model: {min(s):.1f} s" for name, s in self.measurement.build_seconds.items() if min(s) > 0.1]
            if self.stored[1]:
                lines.append(f"no-baseline: {self.stored[1]}")
        lines += self.starts.notes
        if self.standing.reason:
            lines.append(f"this machine: {self.standing.reason}")
        return lines

    def document(self) -> BenchBaseline | None:
        """The run's figures as they can be stored; None where base and head were measured in pairs, which are no figures to store."""
        if self.options.against or not self.measurement.figures:
            return None
        cells = self.measurement.figures
        return BenchBaseline(
            device=self.device,
            provenance=provenance_of(cells),
            model=Model(name=self.session.model.name, digest=self.session.model.digest),
            systems={name: system.digest for name, system in self.session.systems.items()},
            options=self._comparable,
            cells=cells,
        )
