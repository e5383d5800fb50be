"""What a mistake looks like, told from records alone."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.records.items import Item
from mpcheck.records.record import Record
from mpcheck.report.cards import cards
from mpcheck.report.likeness import CHECKS
from mpcheck.sessions.registry import sessions
from tests.unit import report_samples as samples

BESIDE = ("float64", "float32", "bfloat16", "float16")


def looks(*red: Record, beside: tuple[str, ...] = BESIDE, directions: tuple[str, ...] = ("forward", "backward"), others: tuple[Any, ...] = ()) -> str:
    """Of cells that are red among others of the same block that are green."""
    known = {(c.format, c.variant, c.backend) for c in red}
    green = [
        samples.cell(format=f, variant=v, backend=b) for f in beside for v in directions for b in ("e3nn", "cueq") if (f, v, b) not in known
    ]  # fmt: skip
    return cards(samples.results(samples.run([*red, *green]), *others))[0].looks


def cell(rms: float | None, fmt: str = "bfloat16", **tensor: Any) -> Record:
    told = samples.quantity(rms, **tensor)
    failures = list(told.failures) or ["signed bias -0.5 > 0.2"]
    return samples.cell(format=fmt, verdict="fail", reason="; ".join(failures), quantities=[told.model_copy(update={"failures": failures})])


@pytest.mark.parametrize(
    ("red", "words"),
    [
        (cell(1.4), "a rounding more than the format needs"),
        (cell(1.4, signed_bias=-0.5, failures=["rms ratio 1.4 > 1", "signed bias -0.5 > 0.2"]), "cut off instead of rounded"),
        (cell(40.0), "kept in too few bits"),
        (cell(40.0, signed_bias=-0.5, failures=["signed bias -0.5 > 0.2"]), "small addends are lost"),
        (cell(1e6), "no rounding error: formula, index, layout or weights"),
        (cell(40.0, "float64", max_rel=0.3), "no rounding error: formula"),
        (cell(7e3, "float32", max_rel=2**-11), "about as exact as tf32"),
        (cell(None, failures=["99 values are NaN or infinite"]), "NaN, infinite or missing values"),
    ],
)
def test_cells(red: Record, words: str) -> None:
    assert words in looks(red)


def test_what_is_stored_for_the_device_alone_is_beyond() -> None:
    drifted = samples.cell(verdict="fail", reason="rms ratio drifted 0.1 -> 0.7", quantities=[samples.quantity(0.7)])
    assert looks(drifted).startswith("within what the format allows, but more than is stored for this device")


def test_what_raises_is_told_of_and_no_figure_is_made_up() -> None:
    raised = samples.cell(verdict="fail", reason="raised KeyError: 'bfloat16' in BesselBasis.forward", quantities=[])
    assert looks(raised) == "it raises an error"


def test_where_it_is_confined_to() -> None:
    told = looks(cell(40.0), beside=("float32",))
    assert "only on e3nn" in told and "only forward" in told and "only in 16 bits" in told
    every = [cell(40.0, fmt) for fmt in ("float32", "bfloat16")]
    assert "in every format that was judged" in looks(*every, beside=("float32", "bfloat16"))
    weights = cell(40.0, name="weight.energy.weight")
    assert "only in gradients of weights" in looks(weights)


def test_a_check_that_looks_at_how_it_computes_says_more_than_the_size_of_an_error() -> None:
    summed = samples.finding("accumulation", samples.CULPRIT, "fail", format="bfloat16", reason="kept with roundoff 1.8e-02", ratio=900.0, limit=1.0)
    assert looks(cell(1.4), others=(samples.findings("audit", [summed]),)).startswith("sums kept in fewer bits")


def test_every_check_that_can_be_red_has_words() -> None:
    judged = {check for spec in sessions().values() if spec.judges for check in spec.checks}
    assert judged - set(CHECKS) <= {"precision", "coverage", "part", "found"}
    assert isinstance(Item.__dataclass_fields__["record"].default, type(None))
