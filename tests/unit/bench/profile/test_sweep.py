"""The sweep over batch sizes and angular orders."""

from __future__ import annotations

import pytest

from mpcheck.bench.profile.sweep import sweep
from mpcheck.sessions.run import Options


def test_the_sweep_says_what_it_left_out() -> None:
    points = sweep(Options(backends=("e3nn",), formats=("float32",)), l_max=(1, 2), batches=(1, 4), budget=0.0)
    assert [(p.l_max, p.batch) for p in points] == [(1, 1), (1, 4), (2, 1), (2, 4)]
    assert all("left out" in p.reasons["*"] and not p.seconds for p in points)


@pytest.mark.parametrize(("device", "batches"), [("cpu", [1, 4, 8]), ("cuda", [1, 4, 8, 32])])
def test_a_gpu_gets_a_larger_batch(device: str, batches: list[int]) -> None:
    points = sweep(Options(device=device, backends=("e3nn",), formats=("float32",)), l_max=(1,), budget=0.0)
    assert [p.batch for p in points] == batches


def test_the_sweep_measures_what_fits() -> None:
    (one, two) = sweep(Options(backends=("e3nn",), formats=("float32",)), l_max=(1,), batches=(1, 2), point=0.0)
    assert (two.atoms, two.edges) == (2 * one.atoms, 2 * one.edges)
    assert all(len(p.seconds["e3nn"]) == 5 for p in (one, two))
