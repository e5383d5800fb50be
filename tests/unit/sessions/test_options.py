"""What is declared of an option once reaches the command line, pytest, and a gate's settings with their variables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import pytest
import typer
from _pytest.config.argparsing import Parser

from mpcheck._errors import InputError
from mpcheck.cli.main import app
from mpcheck.gate.settings import DECLARED, FIELDS, VARIABLES
from mpcheck.pytest_plugin.options import add_options, options_of
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import Declared, InspectedOptions, Option, Options, declared, plain, resolve, split, split_systems, values_of
from mpcheck.sessions.registry import sessions

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
EVERY = [pytest.param(spec, one, id=f"{spec.name}-{one.name}") for spec in sessions().values() for one in spec.declared.values()]
GATED = [pytest.param(spec, one, id=f"{spec.name}-{one.name}") for spec in sessions().values() for one in spec.declared.values() if one.option.gate]


@dataclass(frozen=True)
class Made:
    """One option of every kind."""

    names: Annotated[tuple[str, ...], Option("names")] = ()
    sizes: Annotated[tuple[int, ...], Option("sizes", least=1, most=8)] = (1,)
    chosen_way: Annotated[Literal["short", "long"], Option("a word")] = "short"
    number: Annotated[float, Option("a number", name="how-much", least=0)] = 0.5
    flag: Annotated[bool, Option("a flag")] = False
    place: Annotated[Path | None, Option("a file")] = None
    shard: Annotated[str, Option("a part", parse="mpcheck.records.shards:normalised")] = ""
    undeclared: int = 7


def of(field: str) -> Declared:
    return declared(Made)[field]


def test_a_declaration_is_read_from_its_field() -> None:
    assert [(one.name, one.type, one.several, one.default) for one in declared(Made).values()] == [
        ("name", str, True, ()), ("size", int, True, (1,)), ("chosen-way", str, False, "short"), ("how-much", float, False, 0.5),
        ("flag", bool, False, False), ("place", Path, False, None), ("shard", str, False, ""),
    ]  # fmt: skip
    assert declared(Made) is declared(Made)


@pytest.mark.parametrize(("spec", "one"), EVERY)
def test_every_option_is_one_of_its_command_and_of_pytest(spec: SessionSpec, one: Declared) -> None:
    parameter = next(p for p in COMMANDS[spec.command].params if p.name == one.name.replace("-", "_"))
    words = [one.name.replace("-", "_")] if one.option.argument else [f"--{one.name}"]
    assert parameter.opts == words and parameter.envvar == (one.option.variable or None)
    assert getattr(parameter, "help", one.option.help).replace("\\[", "[") == one.option.help
    assert parameter.default == (None if one.several else one.default)
    assert values_of(spec.options, {one.name: parameter.default}).get(one.field, one.default) == one.default
    assert (f"--mp-{one.name}" in pytest_options()) or one.option.command_only or not spec.work


def pytest_options() -> dict[str, Any]:
    parser = Parser(_ispytest=True)
    add_options(parser)
    (group,) = [group for group in parser._groups if group.name == "mpcheck"]
    return {name: option for option in group.options for name in option.names()}


@pytest.mark.parametrize("spec", [spec for spec in sessions().values() if spec.work], ids=lambda spec: spec.name)
def test_pytest_has_the_defaults_of_the_options(spec: SessionSpec) -> None:
    assert all(option.attrs().get("default") is None for option in pytest_options().values())
    config: Any = SimpleNamespace(getoption=lambda name, default=None: default, pluginmanager=pytest.PytestPluginManager())
    assert options_of(config, spec) == spec.options()


@pytest.mark.parametrize(("spec", "one"), GATED)
def test_what_a_gate_may_set_is_a_setting_and_a_variable(spec: SessionSpec, one: Declared) -> None:
    own = f"{spec.name}." if one.field in spec.own_settings else ""
    name = own + one.field.replace("_", "-")
    variable = "MPCHECK_GATE_" + name.replace(".", "_").replace("-", "_").upper()
    assert VARIABLES[variable] == name
    assert FIELDS[name] == ([] if one.several else one.default or (one.default if one.type in (int, float, bool) else ""))
    assert (DECLARED[name].option.rule, DECLARED[name].option.usual) == (one.option.rule, one.option.usual)


def test_a_gate_has_no_setting_that_nobody_declares() -> None:
    fields = {one.field.replace("_", "-") for spec in sessions().values() for one in spec.declared.values() if one.option.gate}
    of_gate = {"base", "install", "sessions", "history", "only-new", "reference", "timeout", "workers"}
    assert {name.rpartition(".")[2] for name in FIELDS} == fields | of_gate


@pytest.mark.parametrize(
    ("field", "texts", "value"),
    [
        ("names", ["b", "a", "b"], ("b", "a")), ("sizes", ["8", "1"], (8, 1)), ("number", ["1", "2.5"], 2.5), ("number", [], 0.5),
        ("flag", ["TRUE"], True), ("flag", ["0"], False), ("place", ["x.yaml"], Path("x.yaml")), ("chosen_way", ["long"], "long"),
        ("shard", ["002/3"], "2/3"),
    ],
)  # fmt: skip
def test_texts_become_values(field: str, texts: list[str], value: Any) -> None:
    found = of(field).parsed(texts, "--it")
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("sizes", "many", "is 'many'; give a number such as"), ("sizes", "1.5", "is '1.5'"), ("sizes", "0", "is 0; give a number from 1 to 8"),
        ("sizes", "9", "is 9; give a number from 1 to 8"), ("number", "-0.1", "from 0 to any"), ("number", "", "give a number such as 0.5"),
        ("number", "１０x", "give a number"), ("flag", "maybe", "give true or false"),
    ],
)  # fmt: skip
def test_a_wrong_value_names_the_option(field: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as refusal:
        of(field).parsed([text], "variable HERE")
    assert str(refusal.value).startswith("variable HERE is ")


def test_values_are_what_was_given_and_no_more() -> None:
    given = {"name": ["a"], "size": None, "how-much": 0.0, "flag": False, "place": "", "chosen-way": "long", "stranger": "x"}
    assert values_of(Made, given) == {"names": ("a",), "number": 0.0, "flag": False, "chosen_way": "long"}
    with pytest.raises(InputError, match=r"^--how-much is 'x'"):
        values_of(Made, {"how-much": "x"})
    with pytest.raises(InputError, match=r"^MINE-size is 99"):
        values_of(Made, {"size": [1, 99]}, where="MINE-")


def test_names_are_parted_by_commas_but_a_file_with_one_in_its_name_is_not(tmp_path: Path) -> None:
    assert split(" a, b,,c ") == ["a", "b", "c"]
    path = tmp_path / "water,ice.xyz"
    path.write_text("0\n\n")
    assert split_systems(f"{path}@:2") == [f"{path}@:2"]
    assert split_systems("builtin:water,builtin:hco") == ["builtin:water", "builtin:hco"]


def test_records_hold_what_every_session_is_asked() -> None:
    data = plain(InspectedOptions(systems=("a",), cache=Path("c"), checks=("layout",)))
    assert data["systems"] == ["a"] and data["cache"] == "c" and "progress" not in data and "checks" not in data
    assert set(data) == set(plain(Options()))


def test_a_reference_is_imported_when_it_is_used() -> None:
    assert resolve("mpcheck.sessions.options:split") is split
