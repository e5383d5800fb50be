"""The command that mixes a model says what it does."""

from __future__ import annotations

import pytest

from mpcheck._errors import InputError
from mpcheck.cli import mix as cli_mix
from mpcheck.sessions.run import Session


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
