"""Settings of a gate: file, variables, options, and what is wrong with them in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.gate.settings import FIELDS, VARIABLES, GateSettings, from_environment, read_settings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "mpcheck.toml").write_text(
        '[gate]\nmodel = "a.model"\nformats = ["float32"]\nmargin = 0.05\nonly-new = true\n[gate.bench]\nlaunches = 3\n'
    )
    return tmp_path


def test_the_file_then_variables_then_options(root: Path) -> None:
    variables = {"MPCHECK_GATE_FORMATS": "bf16, tf32,", "MPCHECK_GATE_MARGIN": "0.1", "MPCHECK_GATE_MODEL": "", "OTHER": "x"}
    found = read_settings(root, None, {"margin": 0.2, "base": "main", "systems": [], "only-new": None}, variables)
    assert (found.model, found.formats, found.margin, found.base) == ("a.model", ["bf16", "tf32"], 0.2, "main")
    assert found.only_new and found.bench.launches == 3 and found.sessions == ["precision", "bench"]


def test_a_base_of_none_overrides_the_files(root: Path) -> None:
    (root / "mpcheck.toml").write_text('[gate]\nbase = "main"\n')
    assert read_settings(root, None, {}, {"MPCHECK_GATE_BASE": ""}).base == "main"
    assert read_settings(root, None, {}, {"MPCHECK_GATE_BASE": "none"}).base == ""
    assert read_settings(root, None, {"base": "None"}, {}).base == ""


def test_sessions_are_put_in_order() -> None:
    assert GateSettings.model_validate({"sessions": ["bench", "precision", "bench"]}).sessions == ["precision", "bench"]


def test_install_is_split_into_commands() -> None:
    text = "pip install -q 'a b'\n\nbash -c 'make && make install'\n"
    assert GateSettings.model_validate({"install": text}).commands == [["pip", "install", "-q", "a b"], ["bash", "-c", "make && make install"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[gate\n", r"mpcheck.toml: not valid TOML: .*line 1"),
        ("[gate]\nmodle = 'x'\n", "mpcheck.toml: field gate.modle: .*; known fields are allow-degraded, backends, base, baselines, bench, blocks"),
        ("model = 'x'\n", "mpcheck.toml: field model is unknown; everything belongs below"),
        ("gate = 3\n", "gate must be a table"),
        ("[gate]\nmodel = 3\n", "field gate.model: Input should be a valid string"),
        ("[gate]\nsystems = 'a,b'\n", "field gate.systems: Input should be a valid list"),
        ("[gate]\nsystems = [1]\n", r"field gate.systems.0: Input should be a valid string"),
        (
            "[gate]\nsessions = ['precison']\n",
            "field gate.sessions: precison is no session; choose from precision, policy, md, training, training-step, symmetry, ranges, audit, bench",
        ),
        ("[gate]\nsessions = []\n", "field gate.sessions: none is no session"),
        ("[gate]\nmargin = -0.1\n", "field gate.margin: Input should be greater than or equal to 0"),
        ("[gate]\nmargin = nan\n", "field gate.margin: Input should be "),
        ("[gate]\nmargin = inf\n", "field gate.margin: Input should be a finite number"),
        ("[gate]\ntimeout = 0\n", "field gate.timeout: Input should be greater than 0"),
        ("[gate]\nonly_new = true\n", "field gate.only_new: .*known fields are .*only-new"),
        ("[gate]\ninstall = 'make && make install'\n", "needs a shell, and none is used; write one command a line, or bash -c"),
        ('[gate]\ninstall = "echo \'x"\n', "field gate.install: .*is no command: No closing quotation"),
        ("[gate.bench]\nlaunches = 1.5\n", "field gate.bench.launches: Input should be a valid integer"),
        ("[gate]\nmodel = 'a'\nmodel = 'b'\n", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_the_field(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "mpcheck.toml").write_text(text)
    with pytest.raises(InputError, match=expected) as told:
        read_settings(tmp_path, None, {}, {})
    assert "\n" not in str(told.value)


def test_no_settings_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no mpcheck.toml in .* `mpcheck init --dir"):
        read_settings(tmp_path, None, {"base": "main"}, {"MPCHECK_GATE_ROOT": str(tmp_path)})
    assert read_settings(tmp_path, None, {}, {"MPCHECK_GATE_MODEL": "x"}).model == "x"
    with pytest.raises(InputError, match=r"settings .*other.toml does not exist"):
        read_settings(tmp_path, tmp_path / "other.toml", {"model": "x"}, {})


def test_wrong_variables_and_options_are_named(root: Path) -> None:
    with pytest.raises(InputError, match=r"variable MPCHECK_GATE_FORMAT is unknown; there are .*MPCHECK_GATE_FORMATS"):
        from_environment({"MPCHECK_GATE_FORMAT": "bf16"})
    with pytest.raises(InputError, match="variable MPCHECK_GATE_MARGIN is '5 %'; give a number"):
        from_environment({"MPCHECK_GATE_MARGIN": "5 %"})
    with pytest.raises(InputError, match="variable MPCHECK_GATE_SESSIONS: speed is no session"):
        read_settings(root, None, {}, {"MPCHECK_GATE_SESSIONS": "speed"})
    with pytest.raises(InputError, match="--sessions: speed is no session"):
        read_settings(root, None, {"sessions": ["speed"]}, {"MPCHECK_GATE_SESSIONS": "bench"})


VALUES = {bool: ("true", True), int: ("3", 3), float: ("2.5", 2.5), list: ("bench, precision", None), str: ("own", "own")}


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_setting_can_be_pinned_by_the_workflow(variable: str, tmp_path: Path) -> None:
    name = VARIABLES[variable]
    text, expected = VALUES[type(FIELDS[name])]
    expected = expected if expected is not None else ["precision", "bench"] if name == "sessions" else ["bench", "precision"]
    (tmp_path / "mpcheck.toml").write_text("[gate]\nblocks = ['x']\n[gate.bench]\nseconds = 9.0\n")
    for found in (read_settings(tmp_path, None, {}, {variable: text}), read_settings(tmp_path, None, {name: expected}, {variable: "default"})):
        value: object = found
        for part in name.split("."):
            value = getattr(value, part.replace("-", "_"))
        assert value == expected
        assert name == "bench.seconds" or found.bench.seconds == 9.0, "the rest of the table stays"


def test_a_pin_to_the_default_goes_before_the_file(root: Path) -> None:
    found = read_settings(root, None, {}, {"MPCHECK_GATE_FORMATS": "default", "MPCHECK_GATE_ONLY_NEW": "false", "MPCHECK_GATE_MARGIN": "0"})
    assert (found.formats, found.only_new, found.margin) == ([], False, 0.0)
    found = read_settings(root, None, {"formats": ["default"], "only-new": False, "margin": 0.0}, {})
    assert (found.formats, found.only_new, found.margin) == ([], False, 0.0)


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("ONLY_NEW", "yes", "variable MPCHECK_GATE_ONLY_NEW is 'yes'; give true or false"),
        ("WORKERS", "2.5", "variable MPCHECK_GATE_WORKERS is '2.5'; give a number such as 1"),
        ("WORKERS", "-1", "variable MPCHECK_GATE_WORKERS: Input should be greater than or equal to 0"),
        ("REFERENCE", "mine", "variable MPCHECK_GATE_REFERENCE: Input should be 'base' or 'own'"),
        ("TIMEOUT", "nan", "variable MPCHECK_GATE_TIMEOUT: Input should be "),
        ("BENCH_THREADS", "0", "variable MPCHECK_GATE_BENCH_THREADS: Input should be greater than or equal to 1"),
    ],
)
def test_wrong_pins_are_named(variable: str, text: str, expected: str, root: Path) -> None:
    with pytest.raises(InputError, match=expected):
        read_settings(root, None, {}, {f"MPCHECK_GATE_{variable}": text})


def test_every_setting_has_an_option() -> None:
    from typer.main import get_command

    from mpcheck.cli.main import app

    options = {option for parameter in get_command(app).commands["gate"].params for option in parameter.opts}  # type: ignore[attr-defined]
    flags = {name: f"--{name.replace('.', '-')}" for name in FIELDS}
    missing = {name for name, flag in flags.items() if not {flag, flag.removesuffix("s"), f"{flag.removesuffix('ies')}y"} & options}
    assert not missing and "--allow" in options


@pytest.mark.parametrize(
    "text",
    ["[gate]\nblocks = " + "[" * 5000, "[gate]\nlaunches = " + "1" * 5000, "a = " + "{a=" * 3000, "[" + "a." * 3000 + "b]\nx = 1\n" * 5,
     '[gate]\nmodel = "\\ud800"\n', "gate" + ".a" * 40_000 + " = 1", "[gate]\nmodel = \"x\u0000\"", "#" * 300_000],
)  # fmt: skip
def test_toml_that_the_parser_chokes_on_is_refused_in_a_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "mpcheck.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_settings(tmp_path, None, {}, {})
    assert str(tmp_path / "mpcheck.toml") in str(caught.value)
    assert len(str(caught.value)) < 1500
