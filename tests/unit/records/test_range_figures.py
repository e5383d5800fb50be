"""What stands for a block: its largest tensor and worst shares."""

from __future__ import annotations

from mpcheck.records.range_figures import Ranges
from mpcheck.records.record import Record
from tests.unit.sessions.ranges.samples import EXAMPLE


def test_records_are_read_as_they_were_written() -> None:
    for record in EXAMPLE.records:
        again = Record.model_validate_json(record.model_dump_json())
        assert again == record and isinstance(again.detail, Ranges)


def test_figures_are_those_of_the_largest() -> None:
    assert EXAMPLE.records[0].figures == {"tensor": "out", "largest": 3e4, "headroom": 4.0}
    assert EXAMPLE.records[3].figures == {"tensor": "grad.out", "largest": 1e-6, "headroom": 4.0, "subnormal": 0.6, "flushed": 0.2}
    assert Ranges(smallest=1e-8, normal=1e-5, end=1e5).figures == {}


def test_plain_layouts() -> None:
    details = [t.layout for r in EXAMPLE.records if isinstance(r.detail, Ranges) for t in r.detail.ranges]
    assert [one.plain for one in details if one is not None][:2] == [True, False]
