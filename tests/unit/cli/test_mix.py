"""`mpcheck mix`: what is said of a swap."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.cli.mix import lines, parse_swaps
from tests.unit.accounts import check_record


def said(**fields: Any) -> list[str]:
    figures = fields.pop("figures", {})
    own = {"check": "mix", "subject": "products.0", "backend": "cueq+e3nn", "reason": "because"}
    return lines([check_record(figures, **own | fields)])


def test_what_was_measured_is_said_with_its_verdict() -> None:
    figures = {"features_relative_l2": 1.25e-7, "energy_eV_per_atom": 3e-9}
    assert said(variant="adapted", verdict="pass", figures=figures) == [
        "products.0 (cueq+e3nn) with adapters: ok; node features: relative L2 1.2e-07, energy eV/atom 3e-09"
    ]
    bare = said(variant="bare", verdict="pass", figures={"features_max": 0.5, "mismatched": ["out", "weights"]})
    assert bare == ["products.0 (cueq+e3nn) without adapters: MISMATCH, seen; node features: max 0.5", "    layout mismatch of out, weights"]


@pytest.mark.parametrize("verdict", ["fail", "unsupported", "degraded"])
def test_what_is_not_right_is_said_with_its_reason(verdict: str) -> None:
    first, second = said(variant="adapted", verdict=verdict)
    assert verdict.upper() in first and second == "    because"


def test_swaps_are_read_in_their_order() -> None:
    assert list(parse_swaps(["b=e3nn", "a=cueq=x"]).items()) == [("b", "e3nn"), ("a", "cueq=x")]
