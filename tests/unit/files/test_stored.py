"""When figures were stored: a time that others can compare with theirs."""

from __future__ import annotations

import datetime

import pytest
from pydantic import ValidationError

from mpcheck._files.stored import Stamp, now


def test_now_is_a_time_in_utc() -> None:
    stamp = Stamp(commit="a", date=now())
    assert stamp.time.utcoffset() == datetime.timedelta(0) and stamp.time.microsecond == 0
    assert abs(datetime.datetime.now(datetime.timezone.utc) - stamp.time) < datetime.timedelta(minutes=1)


def test_times_of_other_zones_compare() -> None:
    noon = Stamp(commit="a", date="2026-01-31T12:00:00+00:00")
    assert noon.time == Stamp(commit="b", date="2026-01-31T14:00:00+02:00").time


@pytest.mark.parametrize("text", ["yesterday", "2026-01-31", "2026-01-31T12:00:00", "", "2026-13-31T12:00:00+00:00"])
def test_a_time_without_an_offset_is_none(text: str) -> None:
    with pytest.raises(ValidationError, match="is not a time with an offset such as"):
        Stamp(commit="a", date=text)
