"""A picture each of results, weights and gradients, of leaves, steps and the model."""

from __future__ import annotations

from mpcheck.report.pictures.canvas import settings
from mpcheck.sessions.ranges.drawing import pictures
from tests.unit.report.pictures.samples import texts
from tests.unit.sessions.ranges.samples import EXAMPLE


def test_what_is_drawn() -> None:
    with settings():
        drawn = pictures(EXAMPLE)
    assert [p.title for p in drawn] == [
        "builtin:water: results", "builtin:water: weights", "builtin:water: gradients of the energy",
    ]  # fmt: skip
    assert {"readouts.0.linear: out", "energy_sum: out", "model: out.energy"} <= {*texts(drawn[0])} and "readouts.0: out" not in texts(drawn[0])
    assert "readouts.0.linear: weight" in texts(drawn[1]) and "readouts.0.linear: out" in texts(drawn[2])
    assert "float16; " in drawn[0].caption or "; float16" in drawn[0].caption
