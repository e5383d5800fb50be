"""Who decides what a gate does: the workflow, then base, and head only where base has nothing to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.gate.asked import asked
from mpcheck.history.objections import read_gate
from tests.unit.gate.fake_gate import FILES, SETTINGS, FakeGate, line


@pytest.mark.parametrize("name", ["altered", "records", "setings"])
def test_what_nobody_may_allow_is_no_allowance(name: str) -> None:
    with pytest.raises(InputError, match=f"variable MPCHECK_GATE_ALLOW: {name} is unknown; there are settings, baselines"):
        asked(None, {}, (), {"MPCHECK_GATE_ALLOW": f"settings,{name}"})
    with pytest.raises(InputError, match=f"--allow: {name} is unknown"):
        asked(None, {}, [name], {"MPCHECK_GATE_ALLOW": "settings"})
    assert asked(None, {}, (), {"MPCHECK_GATE_ALLOW": "settings, moved"}).allow == {"settings", "moved"}


SETTING_FORGERIES = {
    "a block less": line('"radial*", ', ""),
    "another system": line('"w.xyz"', '"builtin:water"'),
    "own references": SETTINGS + 'reference = "own"\n',
    "only new": SETTINGS + "only-new = true\n",
    "a margin": SETTINGS + "margin = 0.5\n",
    "no baselines": line('baselines = "stored"\n', ""),
    "another model": line("a.model", "builtin:hco"),
    "a backend only": SETTINGS + 'backends = ["e3nn"]\n',
    "a format only": SETTINGS + 'formats = ["float64"]\n',
    "another session": line('["precision"]', '["audit"]'),
    "an install": SETTINGS + 'install = "pip install evil"\n',
    "bench": SETTINGS + "[gate.bench]\nlaunches = 2\n",
    "no settings": None,
}


@pytest.mark.parametrize("name", SETTING_FORGERIES)
def test_settings_of_the_change_do_not_decide_and_turn_it_red(name: str, gate: FakeGate) -> None:
    gate.change(mpcheck_toml=SETTING_FORGERIES[name])
    outcome = gate.go()
    assert outcome.verdict == "FAIL" and [o.kind for o in outcome.objected] == ["settings"], outcome.remarks
    words = " ".join(gate.words["head"])
    assert "--block radial* --block products.1" in words and "--baselines stored" in words and words.startswith("run a.model"), "base's decide"
    assert [w for w in gate.words["base"] if "out" not in w] == [w for w in gate.words["head"] if "out" not in w] and not gate.commands["head"]
    assert gate.report.splitlines()[2].startswith("- setting "), "at the top"
    assert "setting" in (gate.out / "report.html").read_text()
    assert read_gate(gate.out / "gate.json").objections == outcome.objections


@pytest.mark.parametrize("name", SETTING_FORGERIES)
def test_the_workflow_may_let_settings_be(name: str, gate: FakeGate) -> None:
    gate.change(mpcheck_toml=SETTING_FORGERIES[name])
    outcome = gate.go(MPCHECK_GATE_ALLOW="settings")
    assert outcome.verdict == "PASS" and "tolerated by the workflow" in gate.report
    assert "--block radial*" in " ".join(gate.words["head"])


@pytest.mark.parametrize(
    "text",
    [
        line('"products.1"', '"products.1", "readouts*"'),
        SETTINGS + "margin = 0.01\n",
        SETTINGS + 'require = ["baseline"]\n',
        SETTINGS + "timeout = 9\n",
    ],
)
def test_a_stricter_setting_is_told_and_green(text: str, gate: FakeGate) -> None:
    gate.change(mpcheck_toml=text)
    outcome = gate.go()
    assert outcome.verdict == "PASS" and outcome.objections and gate.report.splitlines()[2].startswith("- setting ")


def test_a_setting_that_the_workflow_pins_is_no_matter_of_the_file(gate: FakeGate) -> None:
    gate.change(mpcheck_toml=line('"radial*", ', ""))
    outcome = gate.go(MPCHECK_GATE_BLOCKS="products.1")
    assert outcome.verdict == "PASS" and [o.effect for o in outcome.objections] == ["neutral"]
    assert "--block radial*" not in " ".join(gate.words["base"])


def test_the_first_gate_takes_the_settings_of_head_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = FakeGate(tmp_path, monkeypatch, {n: t for n, t in FILES.items() if n != "mpcheck.toml"})
    gate.change(mpcheck_toml=SETTINGS)
    assert gate.go().verdict == "PASS"
    assert "base has no settings (mpcheck.toml): those of head decide, in this first gate" in gate.report.replace("\\", "")


def test_a_base_that_the_change_names_is_told(gate: FakeGate) -> None:
    gate.change(mpcheck_toml=SETTINGS + 'base = "main"\n')
    gate.go(base="")
    assert "named by the change itself" in gate.report
