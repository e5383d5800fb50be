"""A comment gives a command to repeat what is red only where every name in it is vouched for: the records are anybody's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mpcheck.cli.main import main
from mpcheck.records.items import items_of
from mpcheck.records.read import Results
from mpcheck.records.reproduce import words
from mpcheck.report.comment import comment
from mpcheck.report.page.as_markdown import WITHHELD
from mpcheck.report.page.pinned import MODELS, OPTIONS, SYSTEMS, Pinned
from mpcheck.sessions.registry import sessions as registered
from tests.unit import report_samples as samples
from tests.unit.hostile import TEXTS
from tests.unit.report_samples import store

ADDRESS = "https://evil.example/model.model"
FOREIGN = (
    ADDRESS, f"mace_mp:{ADDRESS}", "mace_off:../x.model", "/tmp/x.model", "recipe:../../x", "builtin:hco;id", "builtin:hco\n", "mace_mp:",
    *TEXTS,
)  # fmt: skip


def gate(directory: Path, model: str = "builtin:hco", options: dict[str, Any] | None = None, **changes: Any) -> Path:
    """A gate with one red cell."""
    cells = [samples.cell(rms=5.0, **changes), samples.cell("readouts.0")]
    run = samples.run(cells, model=samples.head()["model"] | {"name": model}, options={"device": "cpu", "seed": 0, **(options or {})})
    store(directory / "head", samples.results(run))
    return directory


def commands(text: str) -> list[str]:
    return re.findall(r"^`{3,}sh\n(.*)\n`{3,}$", text, re.MULTILINE)


def test_names_that_everybody_knows(tmp_path: Path) -> None:
    text = comment(gate(tmp_path, "mace_off:small", {"device": "cuda:1", "seed": 7}))
    assert commands(text) == [
        "mpcheck run mace_off:small --system builtin:water --backend e3nn --format bfloat16 --block interactions.0.linear --device cuda:1 --seed 7"
    ]
    assert WITHHELD.strip() not in text


@pytest.mark.parametrize("name", [name for name in FOREIGN if "\ud800" not in name and len(name) < 9000], ids=lambda name: ascii(name)[:30])
@pytest.mark.parametrize("field", ["model", "system", "backend", "format", "subject"])
def test_a_name_from_the_records_is_in_no_command(name: str, field: str, tmp_path: Path) -> None:
    text = comment(gate(tmp_path, **{field: name}))
    assert commands(text) == [] and WITHHELD.strip() in text and "Repeat them" not in text
    assert "https://" not in text


@pytest.mark.parametrize("options", [{"device": ADDRESS}, {"device": "cuda:1 --out=/tmp"}, {"seed": "1; id"}, {"seed": ADDRESS}])
def test_neither_is_an_option(options: dict[str, Any], tmp_path: Path) -> None:
    assert commands(comment(gate(tmp_path, options=options))) == []


def test_what_the_settings_of_the_repository_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory, settings = gate(tmp_path, "models/ours.model", system="data/frames.extxyz@::10"), tmp_path / "mpcheck.toml"
    assert commands(comment(directory)) == []
    told = ["comment", str(directory), "--out", str(tmp_path / "c.md")]
    ours = ("models/ours.model", '"data/frames.extxyz@::10"')
    for (model, systems), given in ((ours, 1), (("models/other.model", ours[1]), 0), ((ours[0], ""), 0)):
        settings.write_text(f'[gate]\nmodel = "{model}"\nsystems = [{systems}]\n')
        assert main([*told, "--settings", str(settings)]) == 0
        assert len(commands((tmp_path / "c.md").read_text(encoding="utf-8"))) == given
    assert main([*told, "--settings", str(tmp_path / "gone.toml")]) == 2
    assert "gone.toml" in capsys.readouterr().err


def test_one_foreign_name_does_not_take_the_others_away(tmp_path: Path) -> None:
    run = samples.run([samples.cell(rms=5.0), samples.cell("readouts.0", rms=6.0, system=ADDRESS)])
    store(tmp_path / "head", samples.results(run))
    text = comment(tmp_path)
    assert len(commands(text)) == 1 and WITHHELD.strip() in text


def test_our_own_commands_of_all_sessions_are_vouched_for() -> None:
    """Every option that we print is known here; a new one must be thought about, or comments lose their commands."""
    results: Results = samples.red()
    for document in results.documents.values():
        for item in items_of(document):
            assert Pinned().vouches(words(document, item)), words(document, item)
    assert not Pinned().vouches(["mpcheck", "run", "builtin:hco", "--out", "x"]) and not Pinned().vouches(["rm", "run", "x"])
    pinned = Pinned(models=frozenset(["x"]))
    assert pinned.vouches(["mpcheck", "run", "x"]) and not pinned.vouches(["mpcheck", "run", "--system", "x"])
    assert not Pinned().vouches(["mpcheck", "bash", "builtin:hco"])
    commands_ = [spec.command for spec in registered().values()]
    assert len(commands_) >= 5 and all(Pinned().vouches(["mpcheck", command, "builtin:hco"]) for command in commands_)


def test_the_names_are_those_of_the_project_and_of_upstream() -> None:
    from typing import get_args

    from mace.calculators import foundations_models

    from mpcheck.bench.keys import Work
    from mpcheck.formats import FORMATS
    from mpcheck.systems import BUILTIN
    from tests.inspections import checks_of

    assert all(SYSTEMS.fullmatch(f"builtin:{name}") and SYSTEMS.fullmatch(f"builtin:{name}:12") for name in BUILTIN)
    checks = [inspection.name for suite in ("symmetry", "audit") for inspection in checks_of(suite)]
    named = {"--format": FORMATS, "--work": get_args(Work), "--backend": ("e3nn", "cueq", "cueq-mul_ir"), "--check": checks}
    for option, names in named.items():
        assert all(OPTIONS[option].fullmatch(name) for name in names), option
    assert all(MODELS.fullmatch(f"mace_mp:{name}") for name in foundations_models.mace_mp_names if name)
    assert all(MODELS.fullmatch(name) for name in ("builtin:hco", "recipe:odd", "recipe:canonical", "recipe:canonical:H-C-O", "mace_off:large"))


def test_the_command_of_a_gate_is_vouched_for() -> None:
    """What a gate has judged, a gate repeats: its own words are known here, and nothing else in their places."""
    told = {"gate": {"base": "abc123def456", "head": "123456abcdef"}}
    run = samples.run([samples.cell(rms=5.0)], environment=samples.head()["environment"] | told)
    found = words(run, next(iter(samples.results(run).items)))
    assert found[:2] == ["mpcheck", "gate"] and Pinned().vouches(found)
    for option, value in (("--out", "/etc"), ("--session", "rm"), ("--base", "main; rm -rf /"), ("--base", "origin/evil")):
        changed = list(found)
        changed[changed.index(option) + 1] = value
        assert not Pinned().vouches(changed)
