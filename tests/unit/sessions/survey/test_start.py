"""The command: what it refuses, what it lists, and which size it takes."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from mpcheck.cli.main import main
from mpcheck.sessions.survey.start import ended_by_terms


def test_it_lists_and_plans_without_a_device(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["survey", "--device", "cuda", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "at full size" in listed and "cells-canonical" in listed and "tensor-cores" in listed
    assert main(["survey", "--device", "cuda", "--dry-run", "--minutes", "1", "--part", "smoke", "--part", "false-alarms"]) == 0
    planned = capsys.readouterr().out
    assert "no time" in planned and "0 s" in planned
    assert main(["survey", "--minutes", "2", "--list"]) == 0 and "at toy size" in capsys.readouterr().out
    assert main(["survey", "--minutes", "60", "--list"]) == 0 and "at full size" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "huge"], "--size huge: choose toy or full"), (["--device", "tpu"], "unknown device 'tpu'"),
        (["--part", "nothing"], "--part nothing: no such part"), (["--minutes", "0.1"], "--minutes"),
        (["--device", "cuda:77"], "--device cuda:77: no CUDA device"),
    ],
)  # fmt: skip
def test_bad_input_is_a_line_and_nothing_is_written(words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["survey", *words, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert said in told and "Traceback" not in told and not (tmp_path / "out").exists()


def test_a_directory_of_anothers_is_left_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name, text in (("survey.json", "a letter"), ("survey.zip", "PK\x03\x04 damaged")):
        out = tmp_path / name.partition(".")[2]
        out.mkdir()
        (out / name).write_text(text)
        assert main(["survey", "--part", "smoke", "--out", str(out)]) == 2
        assert name in capsys.readouterr().err and (out / name).read_text() == text and len(list(out.iterdir())) == 1


def test_a_signal_to_end_is_an_interruption_and_the_handler_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), ended_by_terms():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
