"""Bars over powers of two, beside what formats hold."""

from __future__ import annotations

from mpcheck.formats import FLOAT16, FLOAT32
from mpcheck.report.pictures.canvas import settings
from mpcheck.report.pictures.exponents import MOST, Bar, Limits, exponents_picture
from tests.unit.report.pictures.samples import texts

NARROW = Limits("float16", FLOAT16.smallest, FLOAT16.smallest_normal, FLOAT16.largest)
WIDE = Limits("float32", FLOAT32.smallest, FLOAT32.smallest_normal, FLOAT32.largest)
BARS = [Bar("a: out", 1e-9, 2.0, -12, -3, 0), Bar("b: out", 1.0, 1e6, 3, 4, 19), Bar("c: out", 7.0, 7.0, 2, 2, 2)]


def test_every_tensor_is_named_and_so_is_the_narrowest_format() -> None:
    with settings():
        drawn = exponents_picture(BARS, [WIDE, NARROW], "name", "title")
        assert exponents_picture([], [NARROW], "name", "title") is None
        alone = exponents_picture(BARS, [], "name", "title")
    assert drawn is not None and alone is not None
    assert {"a: out", "b: out", "c: out", "float16, normal range", "2⁰"} <= {*texts(drawn)}
    assert "a: out 1e-09 to 2" in drawn.alt and "float32; float16" in drawn.caption and "left out" not in drawn.caption
    assert "var(--fail)" in drawn.svg and "var(--fail)" not in alone.svg


def test_those_that_matter_are_kept_where_there_are_many() -> None:
    bars = [Bar(f"t{i}", 1.0, 2.0, 0, 0, 1) for i in range(MOST)] + [Bar("last", 1.0, 6e4, 0, 0, 15)]
    with settings():
        drawn = exponents_picture(bars, [NARROW], "name", "title")
    assert drawn is not None and "last" in texts(drawn) and "1 tensor farther from them left out" in drawn.caption
