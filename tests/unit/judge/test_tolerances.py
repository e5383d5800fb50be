"""Limits of a cell, and exceptions to them: which hold, which are stale, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.judge.tolerances import Exception_, Tolerances, limits_for, load_tolerances, packaged, unused
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM

WHY = "measured in a test of the tolerances"


def with_exceptions(*entries: dict[str, object]) -> Tolerances:
    made = [Exception_.model_validate({"format": ["bfloat16"], "reason": WHY, **entry}) for entry in entries]
    return load_tolerances().model_copy(update={"exceptions": made})


def test_exceptions_are_used_and_carry_reasons(session: Session) -> None:
    tolerances = load_tolerances()
    names = [b.name for b in session.check(SYSTEM).library.blocks()]
    assert unused(tolerances, names, ["e3nn", "cueq"]) == []
    assert all(len(e.reason) > 60 for e in tolerances.exceptions)


def test_the_last_exception_that_matches_holds_and_widens_every_limit() -> None:
    plain = limits_for(with_exceptions(), "readouts.0", "cueq", "bfloat16", "forward")
    wider = {"block": "readouts.*", "rms": 2 * plain.rms}
    found = limits_for(with_exceptions({"rms": 9 * plain.rms}, wider), "readouts.0", "cueq", "bfloat16", "forward")
    assert (found.rms, found.max_base, found.bias_floor) == pytest.approx((2 * plain.rms, 2 * plain.max_base, 2 * plain.bias_floor))
    assert found.reason == WHY and not plain.reason
    apart = limits_for(with_exceptions({**wider, "max": 3 * plain.max_base}), "readouts.0", "cueq", "bfloat16", "forward")
    assert (apart.rms, apart.max_at(50)) == pytest.approx((2 * plain.rms, 3 * plain.max_at(50)))


@pytest.mark.parametrize(
    "entry", [{"block": "products.*"}, {"backend": "e3nn"}, {"format": ["float32"]}, {"direction": "backward"}], ids=lambda e: next(iter(e))
)
def test_an_exception_for_another_cell_does_not_hold(entry: dict[str, object]) -> None:
    cell = ("readouts.0", "cueq", "bfloat16", "forward")
    assert limits_for(with_exceptions({"rms": 50.0, **entry}), *cell) == limits_for(with_exceptions(), *cell)


def test_a_limit_grows_with_the_elements_and_a_bias_with_its_scatter() -> None:
    limits = limits_for(load_tolerances(), "b", "e3nn", "float32", "forward")
    assert limits.max_at(1) == limits.max_at(2) < limits.max_at(100) < limits.max_at(10_000)
    assert limits.bias_at(0.0) == limits.bias_floor < limits.bias_at(0.1)


def test_stale_exceptions_are_named() -> None:
    tolerances = with_exceptions({"block": "readouts.*", "rms": 2.0}, {"block": "gone", "rms": 2.0}, {"backend": "oeq", "rms": 2.0})
    assert unused(tolerances, ["readouts.0"], ["e3nn"]) == [
        "exceptions.1 (block 'gone', backend '*')", "exceptions.2 (block '*', backend 'oeq')",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "says"), [("format: [float33]", r"exceptions.0.format: unknown \['float33'\]"), ("format: []", "exceptions.0.format")]
)
def test_a_format_that_is_none_is_refused(tmp_path: Path, entry: str, says: str) -> None:
    path = tmp_path / "limits.yaml"
    text = packaged("limits.yaml").read_text()
    path.write_text(f"{text[: text.index('exceptions:')]}exceptions:\n  - {{{entry}, rms: 2.0, reason: {WHY}}}\n")
    with pytest.raises(InputError, match=says):
        load_tolerances(path)
