"""Commands as they are typed, and what is told where they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from mpcheck._errors import InputError
from mpcheck.cli.main import main

PREFIX = "mpcheck: error:"


def refusal(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one error line of a command that must refuse."""
    status = main(list(arguments))
    out, err = capfd.readouterr()
    lines = [line for line in (out + "\n" + err).splitlines() if PREFIX in line]
    assert status == 2, out + err
    assert len(lines) == 1, out + err
    assert lines[0].startswith(PREFIX)
    assert "Traceback" not in out + err
    assert "INTERNALERROR" not in out + err
    return lines[0]


def run(app: Typer, *arguments: str | Path) -> str:
    """What it prints.

    Raises:
        InputError: what the front end prints in one line before it exits with 2.
    """
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, InputError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())
