"""Speed and accuracy over size."""

from __future__ import annotations

import pytest

from mpcheck._errors import InputError
from mpcheck.policy.speed.candidates import parse_candidate
from mpcheck.policy.speed.rounds import RoundPlan
from mpcheck.policy.speed.supercells import BATCHES, grid, sweep
from mpcheck.sessions.options import Options

OPTIONS = Options(model="builtin:hco", backends=("e3nn",))
QUICK = RoundPlan(seconds=0.01, warmup=1)


def test_sizes_and_batches_run_in_one_launch_and_what_does_not_fit_is_left_out_with_its_reason() -> None:
    free, told = iter([1e12, 1e12, 1e6]), list[str]()
    points = sweep(
        OPTIONS, [parse_candidate("float64"), parse_candidate("float32")], grid((2, 1), (1, 2)), plan=QUICK, free=lambda: next(free, 1e6),
        progress=told.append,
    )  # fmt: skip
    assert [(p.system.rpartition(":")[2], p.batch) for p in points] == [("1", 1), ("1", 2), ("2", 1)]
    assert [[r.atoms for r in p.rows] for p in points] == [[8, 8], [16, 16], []]
    assert told[0] == "3 sizes and batches of builtin:diamond:N, 2 candidates each, in 120 s at most"
    assert any(line.startswith("builtin:diamond:1, batch 2: about ") for line in told)
    assert "GiB are free" in points[2].left_out
    for point in points[:2]:
        exact, rounded = point.rows
        assert exact.errors is not None and rounded.errors is not None and exact.errors.energy < 1e-9 < rounded.errors.energy < 1.0
        assert rounded.to_float64 is not None and rounded.peak_bytes is not None and exact.peak_bytes is not None
        assert rounded.peak_bytes < 0.6 * exact.peak_bytes
        assert exact.errors.total < -400 and abs(exact.errors.offset) < 1e-9 < abs(rounded.errors.offset) < 1e-2 and exact.errors.force_size > 0.1


def test_a_sweep_ends_in_time() -> None:
    points = sweep(OPTIONS, [parse_candidate("float32")], grid((1, 2, 3)), seconds=0.0, plan=QUICK)
    assert [bool(p.rows) for p in points] == [False, False, False] or [bool(p.rows) for p in points] == [True, False, False]
    assert "0 s are spent" in points[-1].left_out


@pytest.mark.parametrize(
    ("sizes", "batches", "names"), [((), (1,), ["float32"]), ((0,), (1,), ["float32"]), ((1,), (0,), ["float32"]), ((1,), (1,), [])]
)
def test_nothing_to_sweep_is_refused(sizes: tuple[int, ...], batches: tuple[int, ...], names: list[str]) -> None:
    with pytest.raises(InputError, match="a sweep needs"):
        sweep(OPTIONS, [parse_candidate(n) for n in names], grid(sizes, batches))


def test_batches_are_no_larger_than_the_largest_size() -> None:
    assert grid((1, 2), BATCHES) == [(1, 1), (1, 4), (1, 8), (2, 1)]
    assert grid(range(1, 4), BATCHES) == [(1, 1), (1, 4), (1, 8), (2, 1), (3, 1)]
    assert grid(range(1, 5), BATCHES) == [(1, 1), (1, 4), (1, 8), (2, 1), (3, 1), (2, 4), (2, 8), (4, 1)]
