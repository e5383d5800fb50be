"""Rows of speed against accuracy."""

from __future__ import annotations

import math

from mpcheck._unsupported import no_device
from mpcheck.policy.speed.candidates import parse_candidate
from mpcheck.policy.speed.table import trade_offs
from mpcheck.policy.speed.timing import Timings
from mpcheck.policy.speed.whole_errors import WholeErrors

NAMES = ("float64", "float32", "seeds+compile", "float32+cudagraph")


def timings() -> Timings:
    seconds = {"float64 e3nn": [[0.04] * 4], "float32 e3nn": [[0.02] * 4], "seeds e3nn +compile": [[0.01] * 4]}
    return Timings(
        seconds=seconds,
        building={n: [1.5, 1.0] for n in seconds},
        peak=dict.fromkeys(seconds, 100),
        stored=dict.fromkeys(seconds, 10),
        errors={n: WholeErrors(0.5, 0.4, 5.0, None) for n in seconds},
        unsupported={"float32 e3nn +cudagraph": no_device()},
        atoms=33,
        edges=1214,
        environment={"device": "cpu", "device_name": "a processor"},
        launches=1,
    )


def test_a_row_has_times_speed_ups_memory_errors_and_the_machine() -> None:
    rows = trade_offs(timings(), [parse_candidate(n) for n in NAMES], "builtin:water")
    assert [r.candidate.id for r in rows] == ["float64 e3nn", "float32 e3nn", "seeds e3nn +compile", "float32 e3nn +cudagraph"]
    fast, absent = rows[2], rows[3]
    assert fast.to_float64 is not None and math.isclose(fast.to_float64.ratio, 4.0)
    assert fast.to_float32 is not None and math.isclose(fast.to_float32.ratio, 2.0)
    assert (fast.machine, fast.atoms, fast.launches, fast.first_seconds) == ("a processor", 33, 1, 1.0)
    figures = fast.figures()
    assert figures["ms"] == 10.0 or math.isclose(figures["ms"], 10.0)
    assert figures["force_meV_per_A"] == 5.0 and "force_relative" not in figures and figures["speedup_float64_low"] <= 4.0
    assert absent.milliseconds is None and absent.unsupported == no_device() and absent.to_float64 is None and absent.errors is None


def test_without_its_base_a_row_has_no_speed_up() -> None:
    found = timings()
    del found.seconds["float64 e3nn"]
    (row,) = trade_offs(found, [parse_candidate("float32")], "builtin:water")
    assert row.to_float64 is None and row.to_float32 is not None and "speedup_float64" not in row.figures()


def test_a_candidate_that_ran_in_one_launch_and_could_not_in_another_has_no_figures() -> None:
    found = timings()
    found.unsupported["float32 e3nn"] = no_device()
    (row,) = trade_offs(found, [parse_candidate("float32")], "builtin:water")
    assert row.milliseconds is None and row.unsupported is not None
