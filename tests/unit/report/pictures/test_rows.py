"""What pictures are made of."""

from __future__ import annotations

import math

import pytest

from mpcheck.report.pictures.rows import Field, choose, chosen_words, grid, number, positive
from tests.unit.accounts import check_record
from tests.unit.report.pictures.samples import cell, quantity, red, run_of


def test_a_field_is_its_worst_cell_and_a_failing_one_goes_before_a_larger_ratio() -> None:
    field = Field()
    for one in (
        cell("a", quantities=[quantity(1.9)]),
        cell("a", direction="backward", **red(rms=0.2)),
        cell("a", verdict="unsupported", reason="no"),
    ):
        field.take(one)
    assert field.ran and field.badness == (True, 0.1) and field.where.startswith("s, backward: ") and field.reason == "no"
    field.take(cell("a", **red(rms=None)))
    assert field.badness == (True, math.inf)


def test_the_table_knows_the_worst_of_every_name_in_the_records_order() -> None:
    table = grid(run_of([cell("b", quantities=[quantity(1.0)]), cell("a", "cueq", "tf32", quantities=[quantity(1.6)])]))
    assert table.blocks == {"b": (False, 0.5), "a": (False, 0.8)} and list(table.formats) == ["float32", "tf32"]
    assert choose(table.blocks, 1) == ["a"] and choose(table.blocks, 2) == ["b", "a"]


def test_what_is_left_out_is_said() -> None:
    assert chosen_words([(3, 3, "block")], "worst first") == ""
    assert chosen_words([(3, 1200, "block"), (1, 2, "backend")], "worst first") == (
        " Drawn are 3 of 1,200 blocks and 1 of 2 backends, worst first; the records hold all."
    )


@pytest.mark.parametrize(
    ("value", "as_number", "drawn"), [(2.0, 2.0, 2.0), (0.0, 0.0, None), (1e300, 1e300, None), (None, None, None), (True, None, None)]
)
def test_figures_that_can_be_drawn(value: float | None, as_number: float | None, drawn: float | None) -> None:
    record = check_record(check="physics", verdict="pass", figures={"x": value})
    assert (number(record, "x"), positive(record, "x"), number(record, "y")) == (as_number, drawn, None)
