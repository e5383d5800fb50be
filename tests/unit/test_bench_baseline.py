"""Stored latencies: come back as written, refuse what is damaged or foreign, compare only like with like, loosen only with a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import beta

from mpcheck._errors import InputError
from mpcheck.bench.figures import Figures, Start
from mpcheck.history.latency.aa_rate import AARate, aa_path, read_aa, store_aa
from mpcheck.history.latency.baseline import BenchBaseline, bench_path, provenance_of, read_baseline, stored_for, write_baseline
from mpcheck.history.latency.device import device_key
from mpcheck.history.latency.update import CellChange, changes, check_reason, merged
from mpcheck.records.environment import device_slug
from tests.unit.bench_samples import LINEAR, MODEL, PRINT, SLUG, baseline, device, figures

NOW = "2026-03-01T00:00:00+00:00"


def written(path: Path, b: BenchBaseline) -> dict[str, Any]:
    write_baseline(path, b)
    data: dict[str, Any] = json.loads(path.read_text())
    return data


def test_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = bench_path(tmp_path, SLUG)
    before = baseline(origins={LINEAR: {"commit": "b", "date": NOW}})
    write_baseline(path, before)
    after = read_baseline(path)
    assert after is not None
    assert after.model_dump(exclude={"cells"}) == before.model_dump(exclude={"cells"})
    assert after.cells.keys() == before.cells.keys()
    for cell, f in after.cells.items():
        for a, b in zip(f.launches, before.cells[cell].launches, strict=True):
            assert a.quantiles == pytest.approx(b.quantiles, rel=1e-5)
            assert a.normalised == pytest.approx(b.normalised, rel=1e-5)
    first = path.read_text()
    write_baseline(path, after)
    assert path.read_text() == first
    assert sum(line.lstrip().startswith('"builtin:water*') for line in first.splitlines()) == 3  # two cells, a line each, and an origin


def test_missing_is_none(tmp_path: Path) -> None:
    assert read_baseline(bench_path(tmp_path, SLUG)) is None


def _launch(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data["cells"][LINEAR]["launches"][0]
    return found


DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "future": (lambda d: d.update(schema_version=2), "schema_version is 2, this mpcheck reads 1"),
    "true for 1": (lambda d: d.update(schema_version=True), "schema_version is True"),
    "foreign": (lambda d: d.update(suite="precision"), "suite is 'precision', expected 'bench'"),
    "no suite": (lambda d: d.pop("suite"), "no field suite"),
    "unknown field": (lambda d: d.update(sesonds=1), "field sesonds"),
    "missing field": (lambda d: d.pop("device"), "field device"),
    "no cells": (lambda d: d.update(cells={}), "field cells"),
    "no launches": (lambda d: d["cells"][LINEAR].update(launches=[]), "launches"),
    "zero seconds": (lambda d: _launch(d).update(first_call=0.0), "first_call"),
    "negative seconds": (lambda d: _launch(d)["quantiles"].__setitem__(0, -1.0), r"quantiles\.0"),
    "text for a number": (lambda d: _launch(d).update(first_call="1"), "first_call"),
    "order": (lambda d: _launch(d)["quantiles"].reverse(), "not in ascending order"),
    "four quantiles": (lambda d: _launch(d)["quantiles"].pop(), "quantiles"),
    "negative energy": (lambda d: _launch(d).update(joules=-1.0), "joules"),
    "no rounds": (lambda d: _launch(d).update(rounds=0), "rounds"),
    "no date": (lambda d: d["provenance"].update(date="yesterday"), "provenance.date"),
    "no offset": (lambda d: d["provenance"].update(date="2026-01-31"), "provenance.date"),
    "path for a slug": (lambda d: d["device"].update(slug="../../etc"), r"device\.slug"),
    "stranger's origin": (lambda d: d.update(origins={"x": {"commit": "a", "date": NOW}}), "origins.x"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_fields_are_named(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    data = written(path, baseline())
    change, expected = DAMAGES[damage]
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=expected) as refusal:
        read_baseline(path)
    message = str(refusal.value)
    assert str(path) in message
    assert "\n" not in message
    assert "restore it from version control" in message


def test_damaged_texts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    write_baseline(path, baseline())
    text = path.read_text()
    first = re.search(r'"first_call":([0-9.e-]+)', text)
    assert first is not None
    for bad, expected in {
        text[: len(text) // 2]: "not valid JSON",
        "": "not valid JSON",
        "[1]": "object of fields",
        text.replace(first[0], '"first_call":NaN', 1): "NaN is not a number",
        text.replace(first[0], '"first_call":1e999', 1): "1e999 is not a finite number",
        text.replace('"rounds":20', '"rounds":20,"rounds":21', 1): "rounds occurs twice",
        text.replace(f'"{MODEL}"', f'"{LINEAR}"', 1): "occurs twice",
    }.items():
        assert bad != text
        path.write_text(bad)
        with pytest.raises(InputError, match=expected) as refusal:
            read_baseline(path)
        assert str(path) in str(refusal.value)


def test_no_file_of_that_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory"):
        read_baseline(tmp_path)
    with pytest.raises(InputError, match="directory"):
        write_baseline(tmp_path, baseline())
    huge = tmp_path / "bench.json"
    with huge.open("wb") as stream:
        stream.truncate((64 << 20) + 1)  # sparse: nothing is written
    with pytest.raises(InputError, match="larger than 64 MiB"):
        read_baseline(huge)
    huge.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        read_baseline(huge)


def test_not_a_number_cannot_be_stored() -> None:
    launch = figures(1.0).launches[0]
    with pytest.raises(ValueError, match="joules"):
        baseline({LINEAR: Figures(launches=[launch.model_copy(update={"joules": float("nan")})])})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": "Other"}, "device Made Up stored, Other here"),
        ({"capability": "AVX512"}, "vector capability AVX2 stored, AVX512 here"),
        ({"threads": 2}, "threads 1 stored, 2 here"),
        ({"packages": {"torch": "2.14.0", "e3nn": "0.4.4"}}, "torch 2.13.0 stored, 2.14.0 here"),
        ({"packages": {"torch": "2.13.0", "e3nn": "0.4.4", "cuequivariance": "0.13"}}, "cuequivariance none stored, 0.13 here"),
        ({"driver": "580.1"}, "driver none stored, 580.1 here"),
    ],
)
def test_another_device_is_never_compared(change: dict[str, Any], named: str, tmp_path: Path) -> None:
    assert device().matches(device(**change)) == [named]
    path, b = tmp_path / "bench.json", baseline()
    write_baseline(path, b)
    found, reason = stored_for(path, device(**change), b.model.digest, b.systems, b.options)
    assert found is None
    assert named in reason


def test_stored_for_the_same_and_for_something_else(tmp_path: Path) -> None:
    path, b = tmp_path / "bench.json", baseline()
    assert stored_for(path, b.device, b.model.digest, b.systems, b.options)[0] is None
    write_baseline(path, b)
    found, reason = stored_for(path, b.device, b.model.digest, {**b.systems, "new.xyz": "n"}, b.options)
    assert found is not None
    assert not reason
    for arguments, named in (
        (("e" * 64, b.systems, b.options), "another model is stored"),
        ((b.model.digest, {"builtin:water": "v"}, b.options), "system builtin:water is another structure"),
        ((b.model.digest, b.systems, {"seed": 1, "l2": True}), "option seed 0 stored, 1 here"),
        ((b.model.digest, b.systems, {"seed": 0}), "option l2 True stored, None here"),
    ):
        found, reason = stored_for(path, b.device, *arguments)
        assert found is None
        assert named in reason


def test_the_key_of_this_machine() -> None:
    key = device_key("cpu", 1)
    assert key.slug == device_slug("cpu")
    assert key.matches(device_key("cpu", 1)) == []
    assert {"torch", "mace-torch", "e3nn"} <= key.packages.keys()
    assert "mpcheck" not in key.packages
    assert any("threads" in text for text in key.matches(device_key("cpu", 2)))


def test_provenance_counts_what_was_measured() -> None:
    found = provenance_of({LINEAR: figures(1.0, launches=2), MODEL: figures(1.0, launches=5)}, "why")
    assert (found.launches, found.rounds, found.reason) == (5, 20, "why")


def _one(old: Figures, new: Figures) -> CellChange:
    (found,) = changes(baseline({LINEAR: old}), baseline({LINEAR: new}))
    return found


def test_changes_are_told_in_units_of_the_yardstick() -> None:
    assert _one(figures(1.0), figures(1.0, machine=1.5)).kind == "unchanged"  # the machine was slow, the code is not
    slower = _one(figures(1.0), figures(1.05, machine=0.5))
    assert (slower.kind, slower.loosens) == ("slower", True)
    assert "+5.0 % in units of the yardstick all" in slower.text
    assert "1.001 -> 0.5255 ms (-47.5 %)" in slower.text
    faster = _one(figures(1.0), figures(0.9))
    assert (faster.kind, faster.loosens) == ("faster", False)
    assert _one(figures(1.0), figures(1.019)).kind == "unchanged"


def test_cost_is_exact() -> None:
    more = PRINT.model_copy(update={"operations": {"aten.mm": 3, "aten.add": 2}, "launches": 5})
    worse, better = _one(figures(1.0), figures(1.0, cost=more)), _one(figures(1.0, cost=more), figures(1.0))
    assert (worse.kind, worse.loosens, better.kind, better.loosens) == ("cost", True, "cost", False)
    assert "aten.add" in worse.text
    assert _one(figures(1.0), figures(1.0, cost=None)).loosens  # a gate that would be gone
    first = _one(figures(1.0, cost=None), figures(1.0))
    assert (first.kind, first.loosens, first.takes) == ("unchanged", False, True)


def test_small_steps_do_not_add_up() -> None:
    """Ten updates, each 1.5 % slower: after the second, the sum is beyond the margin, and needs a reason."""
    stored, refused = baseline({LINEAR: figures(1.0)}), 0
    for step in range(1, 11):
        new = baseline({LINEAR: figures(1.015**step)})
        found = changes(stored, new)
        try:
            check_reason(found, SLUG, "")
        except InputError:
            refused += 1
            continue
        stored = merged(stored, new, found, "")
    assert refused == 9
    assert stored.cells[LINEAR] == figures(1.0)


def test_an_update_of_some_cells_keeps_the_others() -> None:
    old = baseline()
    new = baseline({LINEAR: figures(0.5)}, commit="bbbbbbbbbbbb", date=NOW)
    found = changes(old, new)
    assert [(c.cell, c.kind) for c in found] == [(LINEAR, "faster")]
    stored = merged(old, new, found, "")
    assert stored.cells == {LINEAR: figures(0.5), MODEL: figures(30.0)}
    assert (stored.origin(LINEAR).commit, stored.origin(MODEL).commit) == ("bbbbbbbbbbbb", "aaaaaaaaaaaa")
    again = merged(stored, baseline({LINEAR: figures(0.4)}, commit="c", date=NOW), changes(stored, baseline({LINEAR: figures(0.4)})), "")
    assert (again.origin(LINEAR).commit, again.origin(MODEL).commit) == ("c", "aaaaaaaaaaaa")


def test_pruning_and_replacing_need_a_reason() -> None:
    old, part = baseline(), baseline({LINEAR: figures(1.0)})
    found = changes(old, part, prune=True)
    assert [(c.cell, c.kind) for c in found if c.loosens] == [(MODEL, "removed")]
    with pytest.raises(InputError, match=r"--reason"):
        check_reason(found, SLUG, "  ")
    check_reason(found, SLUG, "the model lost it")
    assert merged(old, part, found, "the model lost it").cells.keys() == {LINEAR}
    other = baseline({LINEAR: figures(1.0)}, device=device(packages={"torch": "2.14.0", "e3nn": "0.4.4"}))
    found = changes(old, other)
    assert {c.cell: c.kind for c in found} == {LINEAR: "replaced", MODEL: "removed"}
    assert all(c.loosens and "torch 2.13.0 stored, 2.14.0 here" in c.text for c in found)
    assert merged(old, other, found, "torch").cells.keys() == {LINEAR}


def started(seconds: float, after: str = "x", shape: float | None = 1.0, **changes: Any) -> Figures:
    own = [Start(first=seconds * f, shape=shape, after=after) for f in (0.99, 1.0, 1.01)]
    return figures(changes.pop("milliseconds", 1.0), **changes).model_copy(update={"starts": own})


@pytest.mark.parametrize(
    ("old", "new", "loosens", "kept"),
    [
        (figures(1.0), started(30.0), False, False),  # figures older than first calls get them, and keep their launches
        (started(30.0), figures(1.0), False, True),
        (started(30.0), started(40.0), False, True),  # within the margin
        (started(30.0), started(60.0), True, False),
        (started(30.0), started(10.0), False, False),
        (started(1e-4), started(9e-4), False, True),  # less than one call of the largest work, which takes 1 ms
        (started(30.0), started(60.0, after="y"), False, False),  # after other benchmarks: nothing could be compared with the stored ones
        (started(30.0), started(30.0, shape=None), True, False),  # it no longer takes another shape
        (started(30.0, shape=0.2), started(30.0, shape=9.0), True, False),
    ],
)
def test_an_update_of_first_calls(old: Figures, new: Figures, loosens: bool, kept: bool) -> None:
    new = new.model_copy(update={"launches": [x.model_copy(update={"rounds": 77}) for x in new.launches]})
    before, after = baseline({LINEAR: old}), baseline({LINEAR: new}, commit="bbbbbbbbbbbb")
    (found,) = changes(before, after)
    assert (found.loosens, found.takes) == (loosens, not kept)
    cell = merged(before, after, [found], "").cells[LINEAR]
    assert cell.starts == (old.starts if kept else new.starts)
    assert cell.launches == old.launches, "the steady state did not change"
    if loosens:
        with pytest.raises(InputError, match="would loosen in 1 cells"):
            check_reason([found], SLUG, "")


def test_first_calls_stay_where_only_the_steady_state_changed() -> None:
    old, new = started(30.0), started(31.0, milliseconds=2.0)
    before, after = baseline({LINEAR: old}), baseline({LINEAR: new}, commit="bbbbbbbbbbbb")
    cell = merged(before, after, changes(before, after), "why").cells[LINEAR]
    assert (cell.starts, cell.launches) == (old.starts, new.launches)


def test_new_cells_do_not_loosen() -> None:
    assert {c.kind for c in changes(None, baseline())} == {"new"}
    grown = changes(baseline({LINEAR: figures(1.0)}), baseline())
    assert {c.cell: c.kind for c in grown} == {LINEAR: "unchanged", MODEL: "new"}
    assert not any(c.loosens for c in grown)


@pytest.mark.parametrize(
    ("comparisons", "alarms", "may"),
    [(10, 0, None), (72, 0, True), (71, 0, None), (400, 4, True), (400, 12, False), (20, 3, False), (1000, 17, True)],
)
def test_the_machine_may_gate(comparisons: int, alarms: int, may: bool | None) -> None:
    rate = AARate(mode="ab", comparisons=comparisons, alarms=alarms, nominal=0.01, commit="a", date=NOW)
    assert rate.may_gate is may
    low, high = rate.interval
    assert high == pytest.approx(beta.ppf(0.975, alarms + 1, comparisons - alarms))
    assert low == pytest.approx(beta.ppf(0.025, alarms, comparisons - alarms + 1) if alarms else 0.0)
    assert ("must not gate" in rate.reason) == (may is False)


def test_rates_are_a_file_of_their_own(tmp_path: Path) -> None:
    path = aa_path(tmp_path, SLUG)
    assert read_aa(path) is None
    ab = AARate(mode="ab", comparisons=100, alarms=0, nominal=0.01, commit="a", date=NOW)
    stored = ab.model_copy(update={"mode": "stored", "alarms": 30})
    store_aa(path, device(), ab)
    store_aa(path, device(), stored)
    store_aa(path, device(), ab.model_copy(update={"comparisons": 200}))
    found = read_aa(path)
    assert found is not None
    assert found.of("stored") == stored
    assert (rate := found.of("ab")) is not None
    assert rate.comparisons == 200
    store_aa(path, device(threads=2), ab)  # another machine's rates say nothing here
    assert (found := read_aa(path)) is not None
    assert found.of("stored") is None
    path.write_text(path.read_text().replace('"alarms":0', '"alarms":101'))
    with pytest.raises(InputError, match="101 in only 100 comparisons"):
        read_aa(path)
    with pytest.raises(InputError, match="101"):
        store_aa(path, device(), ab)
