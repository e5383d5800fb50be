"""A bench session's options, and what it makes of what was measured; nothing is timed here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck._unsupported import Unsupported, no_device
from mpcheck.bench.decide.decision import Rule
from mpcheck.bench.decide.verdicts import PAIRED, STORED
from mpcheck.bench.figures import BenchFigures, Start
from mpcheck.bench.launch.measurement import Effort, Measurement
from mpcheck.bench.launch.paired import PairedMeasurement
from mpcheck.history.latency.aa_rate import AARate, aa_path, store_aa
from mpcheck.history.latency.baseline import BenchBaseline, bench_path, write_baseline
from mpcheck.sessions.bench import BenchOptions
from mpcheck.sessions.bench.run import BenchRun
from tests.unit.bench_samples import PRINT, figures

BLOCK = "spherical_harmonics"


def options(directory: Path, cache: Path, require: tuple[str, ...] = (), **changes: Any) -> BenchOptions:
    usual = {"systems": ("builtin:water",), "backends": ("e3nn",), "formats": ("float32",), "blocks": (BLOCK,), "works": ("forward",)}
    return BenchOptions(**{**usual, "cache": cache, "require": require, "baselines": directory, **changes})


Make = Callable[..., BenchRun]


@pytest.fixture
def make(tmp_path: Path, cache: Path) -> Make:
    """A session whose measurement is given, not measured."""

    def call(found: dict[str, BenchFigures] | None = None, unsupported: Unsupported | None = None, **changes: Any) -> BenchRun:
        run = BenchRun(options(tmp_path, cache, **changes))
        (key,) = run.keys
        cells = {key.id: figures(1.0)} if found is None else found
        prints = {n: f.fingerprint for n, f in cells.items() if f.fingerprint is not None}
        told = {key.id: unsupported} if unsupported else {}
        measurement = Measurement({n: f.launches for n, f in cells.items()}, {n: [1e-3] for n in cells}, prints, told, processes=3, keys=[key.id])
        measurement.starts = {n: list(f.starts) for n, f in cells.items() if f.starts}
        vars(run)["measurement"] = measurement
        return run

    return call


def stored(
    make: Make, tmp_path: Path, change: Callable[[dict[str, Any]], Any] = lambda _: None, cells: dict[str, BenchFigures] | None = None
) -> Path:
    """A baseline of the made-up measurement, with a change."""
    document = make(cells).document()
    assert document is not None
    path = bench_path(tmp_path, document.device.slug)
    write_baseline(path, document)
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    return path


def verdicts(run: BenchRun) -> dict[str, tuple[str, str]]:
    (key,) = run.keys
    return {f.check: (f.verdict, f.reason) for f in run.records[key.id]}


def test_nothing_stored_is_no_baseline_and_required_a_failure(make: Make) -> None:
    found = verdicts(make())
    assert found["latency"][0] == found["cost"][0] == "no-baseline"
    assert "nothing is stored for this device" in found["latency"][1]
    required = verdicts(make(require=("baseline",)))
    assert required["latency"][0] == required["cost"][0] == "fail"
    assert required["latency"][1].startswith("required: a baseline; nothing is stored")


def test_what_was_measured_can_be_stored_and_compared_with(make: Make, tmp_path: Path) -> None:
    path = stored(make, tmp_path)
    before = path.read_bytes()
    run = make()
    assert run.stored[0] is not None and [f.verdict for f in run.records[""]] == ["inconclusive"]
    assert verdicts(run)["cost"] == ("pass", "") and verdicts(run)["latency"][0] in ("pass", "inconclusive")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["device"].update(name="Another CPU"), "device Another CPU stored"),
        (lambda d: d["device"]["packages"].update(torch="1.0"), "torch 1.0 stored"),
        (lambda d: d["model"].update(digest="0" * 64), "another model is stored"),
        (lambda d: d["systems"].update({"builtin:water": "0"}), "system builtin:water is another structure"),
        (lambda d: d["options"].update(seed=7), "option seed 7 stored, 0 here"),
        (lambda d: d["options"].update(yardstick=99), "option yardstick 99 stored"),
    ],
)
def test_figures_of_something_else_are_no_baseline(change: Callable[[dict[str, Any]], Any], reason: str, make: Make, tmp_path: Path) -> None:
    stored(make, tmp_path, change)
    verdict, told = verdicts(make())["latency"]
    assert verdict == "no-baseline" and reason in told


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda t: t[:-30], "not valid JSON (truncated?)"), (lambda t: "", "not valid JSON"), (lambda t: "\x00\x01", "not valid JSON"),
        (lambda t: t.replace('"suite": "bench"', '"suite": "precision"'), "the field suite is 'precision'"),
        (lambda t: t.replace('"schema_version": 1', '"schema_version": 2'), "schema_version is 2, this mpcheck reads 1"),
        (lambda t: t.replace('"rounds"', '"bounds"'), "rounds"), (lambda t: t.replace('"calls": 5', '"calls": NaN'), "NaN is not a number"),
        (lambda t: t.replace('"calls": 5', '"calls": "5"'), "calls"),
    ],
)  # fmt: skip
def test_a_damaged_baseline_is_told_of_before_anything_is_measured(damage: Callable[[str], str], expected: str, make: Make, tmp_path: Path) -> None:
    path = stored(make, tmp_path)
    path.write_text(damage(path.read_text()))
    before = path.read_bytes()
    with pytest.raises(InputError) as told:
        make()
    assert str(path) in str(told.value) and expected in str(told.value) and "restore it" in str(told.value)
    assert path.read_bytes() == before


def test_a_machine_with_too_many_false_alarms_may_not_gate(make: Make, tmp_path: Path) -> None:
    run = make()
    assert run.standing.may_gate and "has not been measured" in run.standing.reason
    path = aa_path(tmp_path, run.device.slug)
    rate = AARate(commit="a", date="2026-01-31T12:00:00+00:00", mode="stored", comparisons=100, alarms=50, nominal=0.01)
    store_aa(path, run.device, rate)
    assert not make().standing.may_gate
    assert make(against="HEAD").standing.may_gate, "the rate of the other mode says nothing"
    path.write_text(path.read_text().replace("0.01", "NaN"))
    with pytest.raises(InputError, match=r"false-alarm rates .*aa\.json: NaN is not a number; remove it and measure the rate again"):
        make()


def test_stored_cells_that_the_run_lacks_and_the_other_way_round(make: Make, tmp_path: Path, cache: Path) -> None:
    (key,) = make().keys
    other = replace(key, subject="gone")
    stored(make, tmp_path, cells={other.id: figures(1.0)})
    run = make()
    assert verdicts(run)["latency"] == ("no-baseline", "new: nothing stored for it")
    assert [f.verdict for f in run.records[""]] == ["inconclusive"], "the user chose blocks: nobody can tell"
    vars(run).pop("findings")
    run.session.options = replace(run.session.options, blocks=())
    assert [(f.subject, f.verdict) for f in run.records[""]] == [("gone", "removed")]


@pytest.mark.parametrize(
    ("why", "require", "verdict"),
    [
        (no_device(), (), "unsupported"), (no_device(), ("cuda",), "fail"), (no_device("gone"), ("cuda",), "fail"),
        (Unsupported("not-applicable", "no CUDA device"), ("cuda",), "unsupported"), (no_device(), ("cueq",), "unsupported"),
        (Unsupported("raised", "raised X: y"), (), "fail"), (no_device(), ("e3nn",), "fail"),
    ],
)  # fmt: skip
def test_what_is_required_and_missing(why: Unsupported, require: tuple[str, ...], verdict: str, make: Make) -> None:
    run = make({}, why, require=require)
    found = verdicts(run)["latency"]
    assert found[0] == verdict and found[1].endswith(why.text)
    assert run.document() is None, "there is nothing to store"


def test_effort_and_rule_follow_the_options(make: Make) -> None:
    run = make()
    plain = run.options

    def asked(**changes: Any) -> tuple[Effort, Rule]:
        run.options = replace(plain, **changes)
        vars(run).pop("effort", None), vars(run).pop("rule", None)
        return run.effort, run.rule

    effort, rule = asked()
    assert (effort.looks, rule.looks, rule.margin) == ((3, 5, 8), 3, STORED.margin)
    assert asked(launches=2)[0].looks == (2, 3, 5, 8)
    assert asked(launches=6)[0].looks == (6, 8)
    effort, rule = asked(launches=20)
    assert effort.looks == (20,) and rule.looks == 1
    assert asked(margin=0.5)[1].margin == asked(margin=0.5)[1].equivalence == 0.5
    assert asked(seconds=7.0)[0].seconds == 7.0
    rule = asked(against="HEAD")[1]
    assert rule.margin == PAIRED.margin and rule.between_occasion_sd == 0.0


def test_a_baseline_older_than_first_calls_is_read_and_says_so_in_one_line(make: Make, tmp_path: Path) -> None:
    stored(make, tmp_path, lambda d: [cell.pop("starts") for cell in d["cells"].values()])
    run = make()
    assert verdicts(run)["cost"] == ("pass", "") and set(verdicts(run)) == {"latency", "cost"}
    assert [n for n in run.notes if n.startswith("first calls")] == [
        "first calls of 1 benchmarks are not judged: the stored figures are older than they are; store new ones with `mpcheck baseline update`"
    ]


def test_a_slower_start_is_red_and_the_steady_state_is_not(make: Make, tmp_path: Path) -> None:
    def starting(seconds: float) -> dict[str, BenchFigures]:
        (key,) = make().keys
        own = [Start(first=seconds * f, shape=seconds * f) for f in (1.0, 1.01, 0.99, 1.02)]
        return {key.id: figures(1.0, launches=4).model_copy(update={"starts": own})}

    stored(make, tmp_path, cells=starting(30.0))
    run = make()
    vars(run)["measurement"].starts.update({n: f.starts for n, f in starting(70.0).items()})
    found = verdicts(run)
    assert found["first-call"][0] == found["new-shape"][0] == "fail" and found["latency"][0] != "fail"
    assert make(margin=2.0).start_rule.margin == 2.0 and make(margin=0.01).start_rule.margin == 0.5


def test_a_selection_of_nothing_is_one_line(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(InputError, match="no benchmark is selected: --work energy is none of what the chosen blocks do; choose others"):
        BenchRun(options(tmp_path, cache, works=("energy",)))


def test_every_benchmark_has_a_finding_even_where_neither_side_has_it(make: Make) -> None:
    run = make(against="HEAD")
    (key,) = run.keys
    hello = {side: {"sources": {"torch": {"version": "2", "digest": ""}}} for side in ("base", "head")}
    vars(run)["paired"] = PairedMeasurement(
        keys={"base": ["s*1/x-e3nn-float32-forward"], "head": ["s*1/x-e3nn-float32-forward", "s*1/y-e3nn-float32-forward"]}, hello=hello
    )
    assert [f.verdict for f in run.records[key.id]] == ["unsupported"]
    assert "neither base nor head has it" in run.records[key.id][0].reason
    assert [(f.subject, f.verdict) for f in run.records[""]] == [("y", "no-baseline")]
    assert any("import the same libraries" in note for note in run.notes)
    assert run.document() is None and run.seconds(key) == []


def test_the_document_is_what_is_read_back(make: Make) -> None:
    document = make().document()
    assert document is not None
    assert BenchBaseline.model_validate(document.model_dump()) == document
    assert next(iter(document.records.values())).fingerprint == PRINT
