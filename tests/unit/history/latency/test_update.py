"""Updates of stored latencies: what changes, what loosens, what is kept."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.bench.figures import BenchFigures, Start
from mpcheck.history.latency.update import CellChange, changes, check_reason, merged
from tests.unit.bench_samples import LINEAR, MODEL, PRINT, SLUG, baseline, device, figures

NOW = "2026-03-01T00:00:00+00:00"


def _one(old: BenchFigures, new: BenchFigures) -> CellChange:
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


def started(seconds: float, after: str = "x", shape: float | None = 1.0, **changes: Any) -> BenchFigures:
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
def test_an_update_of_first_calls(old: BenchFigures, new: BenchFigures, loosens: bool, kept: bool) -> None:
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
