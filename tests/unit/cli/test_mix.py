"""The command that mixes a model says what it does."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.cli import mix as cli_mix
from mpcheck.cli.mix import lines, parse_swaps
from mpcheck.sessions.run import Session
from tests.unit.accounts import check_record


@pytest.mark.parametrize(("texts", "message"), [(["a"], "BLOCK=BACKEND"), (["=e3nn"], "BLOCK=BACKEND"), (["a=b", "a=c"], "a twice")])
def test_swaps_that_cannot_be_read_are_named(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        cli_mix.parse_swaps(texts)


def test_the_command_names_the_mismatch(session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    monkeypatch.setattr("mpcheck.sessions.run.Session", lambda options: session)
    with pytest.raises(typer.Exit) as stop:
        cli_mix.mix("builtin:hco", ["products.0.linear=e3nn", "interactions.1.linear=e3nn"], ["builtin:water"], "cpu", None, 0, structures=8)
    text = capsys.readouterr().out
    assert stop.value.exit_code == 0
    assert "products.0.linear (cueq+e3nn) without adapters: MISMATCH, seen; node features: relative L2 0." in text
    assert "layout mismatch of features (16x0e+16x1o), out (16x0e+16x1o)" in text
    assert "products.0.linear + interactions.1.linear (cueq+e3nn) with adapters: ok" in text and text.rstrip().splitlines()[-1].startswith("PASS")


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
