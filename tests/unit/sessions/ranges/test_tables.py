"""Tables and lines say the first that matters, by name."""

from __future__ import annotations

from mpcheck.records.record import Record
from mpcheck.sessions.ranges.tables import HEAD, ends, formats, layouts, tables, told, without_range
from tests.unit.sessions.ranges.samples import EXAMPLE, document


def test_a_table_of_each_direction_the_narrowest_format_first() -> None:
    assert formats(EXAMPLE) == ["float16", "float32"]
    (forward, head, rows), (_, _, backward) = tables(EXAMPLE)
    assert forward.startswith("builtin:water, forward") and head == [*HEAD, "float16", "float32"]
    assert [row[0] for row in rows] == ["readouts.0.linear", "energy_sum", "model"]
    assert rows[0] == ["readouts.0.linear", "3e+04", "out", "0.001", "12", "+4", "+4"]
    assert rows[1][-2:] == ["-4", "+4"]
    assert backward[0][-2:] == ["+4 80 %", "+4 60 %"]
    assert [row[0] for row in next(iter(tables(EXAMPLE, whole=True)))[2]][1] == "readouts.0"
    assert len(told(EXAMPLE)) == 5


def test_where_formats_end() -> None:
    assert ends(EXAMPLE) == [
        "builtin:water: float16 does not hold 1 block: energy_sum, out reaches 1e+05, float16 holds 65504",
        "builtin:water: model out.energy would overflow in float16 from 70 atoms on: it grows in proportion to atoms (here 33 atoms)",
        "builtin:water: readouts.0.linear 80% of the numbers of grad.out that are not zero are below float16's normal range",
    ]
    assert ends(document()) == []


def test_tensors_that_lie_otherwise_are_named() -> None:
    assert layouts(EXAMPLE) == ["1 tensor expanded: model:out.energy", "1 tensor not contiguous: readouts.0.linear:weight.weight"]


def test_why_there_is_no_range() -> None:
    refused = Record(check="ranges", subject="energy_sum", verdict="unsupported", reason="no gradient flows through it")
    assert without_range([refused, refused]) == ["unsupported: energy_sum: no gradient flows through it"]
