"""Commands are made of what is declared: every option with its default, its bounds and its help, and given on as it is declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from mpcheck.cli.main import app, main
from mpcheck.cli.options import setting_word, shared
from mpcheck.gate.settings import DECLARED
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import Declared
from mpcheck.sessions.registry import sessions

SPECS = list(sessions().values())


def parameters(command: str) -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return {parameter.name: parameter for parameter in group.commands[command].params}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_command_has_what_its_session_declares_and_no_more(spec: SessionSpec) -> None:
    made = parameters(spec.command)
    own = {one.name.replace("-", "_") for one in spec.declared.values()}
    assert set(made) - own == {"out", *(["workers"] if spec.parallel else []), *(["verbose"] if spec.work else [])}
    for one in spec.declared.values():
        parameter = made[one.name.replace("-", "_")]
        assert parameter.required is False and parameter.help is not None and one.option.help[:20] in parameter.help.replace("\\", "")
        assert parameter.multiple is (one.several and not one.option.single) if not one.option.argument else parameter.param_type_name == "argument"


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.takes("model")], ids=lambda spec: spec.name)
def test_what_is_typed_is_handed_on(spec: SessionSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[Any, ...]] = []
    monkeypatch.setattr(SessionSpec, "begin", lambda _, *given: begun.append(given) or 7)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.model").touch()
    typed = ("format", "bf16") if spec.takes("formats") else ("policy" if spec.takes("policies") else "regime", "float32")
    assert main([spec.command, "some.model", f"--{typed[0]}", typed[1], "--out", str(tmp_path)]) == 7
    options, out, workers, verbose = begun[0]
    assert set(options) == {one.name for one in spec.declared.values()}
    assert options["model"] == "some.model" and options[typed[0]] in (typed[1], [typed[1]])
    assert (out, workers, verbose) == (tmp_path, 0, False)


BOUNDED = [(spec.command, one) for spec in SPECS for one in spec.declared.values() if one.option.least is not None and not one.several]


@pytest.mark.parametrize(("command", "one"), BOUNDED, ids=lambda x: getattr(x, "name", x))
def test_a_number_beyond_its_bounds_is_refused_in_a_line(command: str, one: Declared, capsys: pytest.CaptureFixture[str]) -> None:
    for bound, step in ((one.option.least, -1), (one.option.most, 1)):
        if bound is not None:
            assert main([command, f"--{one.name}", str(one.type(bound + step))]) == 2
            told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mpcheck: error: ")]
            assert len(told) == 1 and f"--{one.name}" in told[0] and f"{bound:g}" in told[0]


def test_a_command_that_takes_one_system_says_so() -> None:
    command = typer.Typer()
    taken: list[object] = []

    @command.command()
    @shared("model", "system", "seed")
    def one(model: str, system: str, seed: int) -> None:
        taken.extend((model, system, seed))

    assert CliRunner().invoke(command, ["m", "--system", "a", "--system", "b", "--seed", "3"]).exit_code == 0
    assert taken == ["m", "b", 3]


def test_every_setting_of_a_gate_is_a_parameter_of_its_own() -> None:
    words = [setting_word(name, one) for name, one in DECLARED.items()]
    assert len(set(words)) == len(words) and set(words) <= set(parameters("gate"))
    assert all(parameters("gate")[word].default in (None, "") for word in words), "what is not given leaves the word to others"
    assert setting_word("bench.blocks", DECLARED["bench.blocks"]) == "bench_block"
