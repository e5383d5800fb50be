"""Numbers of the report in words."""

from __future__ import annotations

import pytest

from mpcheck.report.figure import NO_ROUNDING, beyond, figure, nature


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.0, "0.00"), (0.7, "0.70"), (1e-5, "1.0e-05"), (4e6, "4.0e+06"), (float("inf"), "∞")])
def test_figures(value: float | None, text: str) -> None:
    assert figure(value) == text


def test_what_no_rounding_makes_is_not_called_one() -> None:
    assert (
        nature(12.0) == nature(NO_ROUNDING) == ""
        and nature(1e6) == " (no rounding error of this format is that large)"
        and nature(float("inf")) == ""
    )


def test_what_is_beyond_is_told_in_the_unit_of_what_is_allowed() -> None:
    assert beyond(8.734) == "8.73 times what is allowed" and beyond(1.12, "the baseline") == "1.12 times the baseline"
    assert beyond(1e6) == "1.0e+06 times what is allowed (no rounding error of this format is that large)"
    assert beyond(586.4) == "586 times what is allowed" and beyond(3114.0).startswith("3,114 times")
    assert beyond(1.0) == beyond(0.3) == beyond(float("inf")) == ""
