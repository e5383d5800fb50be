"""The table of policies over size."""

from __future__ import annotations

import pytest

from mpcheck.records.policy_figures import PolicySize
from mpcheck.records.record import Record
from mpcheck.sessions.policy.showing import SHOWING, systems
from mpcheck.sessions.policy.sizes import HEAD, RIGHT, left_out, size_rows
from tests.unit.sessions.policy.samples import WATER, document, errors, judged


def sized(policy: str, n: int, batch: int = 1, **more: float) -> Record:
    own = {
        "median_ms": 12.34, "speedup_float64": 3.0, "speedup_float64_low": 2.9, "speedup_float64_high": 3.1, "atoms": 8.0 * n**3 * batch,
        "peak_bytes": 5e8, "total_eV": -1e6, "offset_eV": -78.0, "force_eV_per_A": 0.5, "force_meV_per_A": 5.0, "force_relative": 0.01,
    }  # fmt: skip
    detail = PolicySize(**{**own, **more})  # type: ignore[arg-type]  # fields of one type
    about = {"check": "policy-size", "subject": policy, "backend": "e3nn", "system": f"builtin:diamond:{n}", "batch": batch, "key": "sizes"}
    return Record(**about, verdict="pass", detail=detail)  # type: ignore[arg-type]  # fields of one type


LEFT = Record(check="policy-size", subject="model", system="builtin:diamond:8", batch=1, verdict="unsupported", reason="left out: 9 GiB", key="sizes")
RUN = document(*judged("float32", errors()), sized("float64", 2, offset_eV=0.0, force_meV_per_A=1e-12), sized("float32", 2, 4), LEFT)


def test_a_row_has_the_columns_of_the_thesis() -> None:
    exact, rounded = (dict(zip(HEAD, row, strict=True)) for row in size_rows(RUN))
    assert len(HEAD) == len(RIGHT)
    assert (exact["cells"], exact["ΔE, eV"], exact["ppm"], exact["ΔF, meV/Å"], exact["%"]) == ("2³", "0", "0", "0", "0")
    assert rounded == {
        "cells": "4 × 2³", "atoms": "256", "policy": "float32", "backend": "e3nn", "ms": "12.3", "times float64": "3.00 ±0.10",
        "E, eV": "-1000000.000", "ΔE, eV": "-78", "ppm": "78", "F, eV/Å": "0.5", "ΔF, meV/Å": "5", "%": "1", "MB": "500",
    }  # fmt: skip


def test_what_was_left_out_is_named() -> None:
    assert left_out(RUN) == ["builtin:diamond:8*1: left out: 9 GiB"]


@pytest.mark.parametrize("shown", [SHOWING.terminal, SHOWING.markdown])
def test_it_is_shown_and_is_no_system_of_its_own(shown: object) -> None:
    assert systems(RUN) == [WATER]
    text = shown(RUN)  # type: ignore[operator]  # of both
    assert "4 × 2³" in text and "left out: 9 GiB" in text and text.count("diamond:2") == 0
    assert "over size" not in shown(document(*judged("float32", errors()))).lower()  # type: ignore[operator]  # of both
