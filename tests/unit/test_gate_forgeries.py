"""A pull request chooses nothing of its gate, and what it rewrites is told: each forgery is red, the same gate without it is green."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.history.objections import read_gate
from tests.gate.adopter import git
from tests.unit import report_samples as samples
from tests.unit.fake_gate import FILES, SETTINGS, FakeGate


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGate:
    return FakeGate(tmp_path, monkeypatch)


def test_a_clean_gate_is_green_and_base_comes_before_anything_of_head(gate: FakeGate) -> None:
    outcome = gate.go()
    assert (outcome.verdict, outcome.code, outcome.objections, outcome.remarks) == ("PASS", 0, [], [])
    assert gate.order == ["make base", "probe base", "precision of base", "make head", "probe head", "precision of head"]
    assert "settings: those of base decide" in gate.report
    assert gate.seen["base"] == gate.seen["head"] == {"a.model": "weights", "w.xyz": "atoms", "stored/cpu/precision.json": "{}"}
    kept = sorted(path.name for path in gate.cache.rglob("*") if path.is_file())
    assert kept == ["block.reference.json", "block.reference.safetensors"], "what base made serves the next gate"


def line(old: str, new: str) -> str:
    assert old in SETTINGS
    return SETTINGS.replace(old, new)


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


@pytest.mark.parametrize(
    ("file", "kind"), [("a_model", "model"), ("w_xyz", "structures"), ("stored__cpu__precision_json", "baselines"), ("stored__cpu__bench_json", "")]
)
@pytest.mark.parametrize("text", ["forged", None])
def test_files_of_the_change_do_not_decide(file: str, kind: str, text: str | None, gate: FakeGate) -> None:
    if not kind and text is None:
        return  # there is none to remove
    gate.change(**{file: text})
    outcome = gate.go()
    assert [o.kind for o in outcome.objections] == [kind or "baselines"] and outcome.verdict == ("FAIL" if kind else "PASS")
    assert "forged" not in str(gate.seen)
    assert gate.go(MPCHECK_GATE_ALLOW=kind).verdict == "PASS"


def test_a_base_that_the_change_names_is_told(gate: FakeGate) -> None:
    gate.change(mpcheck_toml=SETTINGS + 'base = "main"\n')
    gate.go(base="")
    assert "named by the change itself" in gate.report


def of_base(gate: FakeGate, name: str = "precision.json") -> Path:
    return gate.out / "base" / name


def forge_records(gate: FakeGate) -> None:
    of_base(gate).write_text(of_base(gate).read_text().replace('"pass"', '"fail"'))


def link_records(gate: FakeGate) -> None:
    shutil.move(gate.out / "base", gate.out / "elsewhere")
    (gate.out / "base").symlink_to(gate.out / "elsewhere")


ALTERATIONS: dict[str, Callable[[FakeGate], object]] = {
    "records of base": forge_records,
    "records of base, gone": lambda gate: of_base(gate).unlink(),
    "records of base, all gone": lambda gate: shutil.rmtree(gate.out / "base"),
    "records of base, more of them": lambda gate: of_base(gate, "audit.json").write_text("{}"),
    "records of base, linked": link_records,
    "references": lambda gate: (gate.references / "block.reference.safetensors").write_text("forged"),
    "references, gone": lambda gate: (gate.references / "block.reference.json").unlink(),
    "environment of base": lambda gate: (gate.base_home / "lib" / "mace.py").write_text("slow"),
    "environment of base, hook": lambda gate: (gate.base_home / "lib" / "hook.pth").write_text("import evil"),
    "this mpcheck": lambda gate: (gate.own / "verdict.py").open("a").write("PASS\n"),
    "this mpcheck, more": lambda gate: (gate.own / f"hook{len(list(gate.own.iterdir()))}.py").touch(),
    "what decides": lambda gate: next(gate.base_home.parent.rglob("a.model")).write_text("forged"),
    "what decides, more": lambda gate: (next(gate.base_home.parent.rglob("a.model")).parent / "more").write_text("forged"),
}


@pytest.mark.parametrize("when", ["attack", "installs"])
@pytest.mark.parametrize("name", ALTERATIONS)
def test_what_base_left_and_what_judges_is_out_of_reach(name: str, when: str, gate: FakeGate) -> None:
    gate.go()
    honest = of_base(gate).read_bytes()
    setattr(gate, when, ALTERATIONS[name])
    outcome = gate.go()
    assert outcome.verdict == "FAIL" and [o.kind for o in outcome.objected] == ["altered"], outcome.remarks
    assert gate.go(MPCHECK_GATE_ALLOW="settings,baselines,model,structures,mpcheck,comparison,moved,gone").verdict == "FAIL", "nobody may allow it"
    assert of_base(gate).read_bytes() == honest and not of_base(gate).parent.is_symlink(), "written anew as it was"
    assert {path.name for path in of_base(gate).parent.iterdir()} == {"precision.json"}
    assert {path.read_text() for path in gate.cache.rglob("*") if path.is_file()} == {"true values"}, "nothing of it is kept"


def test_honest_traces_of_a_run_are_no_alteration(gate: FakeGate) -> None:
    def attack(gate: FakeGate) -> None:
        (gate.references / "new.reference.json").write_text("of a block that base has not")
        (gate.references / "new.reference.lock").write_text("")
        (gate.base_home / "lib" / "__pycache__").mkdir()
        (gate.base_home / "lib" / "__pycache__" / "mace.cpython-311.pyc").write_text("")

    gate.attack = attack
    assert gate.go().verdict == "PASS"
    assert not list(gate.cache.rglob("new*")), "base did not make it"


def test_another_mpcheck_on_either_side_is_red(gate: FakeGate) -> None:
    gate.document = lambda run: run.model_copy(update={"environment": run.environment.model_copy(update={"mpcheck_digest": "another"})})
    outcome = gate.go()
    assert outcome.verdict == "FAIL" and [o.kind for o in outcome.objected] == ["mpcheck"] and "another mpcheck judged" in gate.report
    assert gate.go(MPCHECK_GATE_ALLOW="mpcheck").verdict == "PASS", "of the gate of mpcheck's own repository"
    gate.document = lambda run: run.model_copy(update={"environment": {n: v for n, v in run.environment.items() if n != "mpcheck_digest"}})
    assert gate.go().verdict == "FAIL"


def test_records_that_tell_of_other_work_are_red(gate: FakeGate) -> None:
    for update in ({"options": {"seed": 7}}, {"systems": [{"name": "builtin:water", "digest": "easier"}]}):
        gate.document = lambda run, update=update: run.model_copy(update=update)  # type: ignore[misc]
        outcome = gate.go(MPCHECK_GATE_ALLOW="comparison,moved,gone")
        assert outcome.verdict == "FAIL" and {o.kind for o in outcome.objected} == {"records"}, update
    gate.document = lambda run: run.model_copy(update={"environment": run.environment.model_copy(update={"device_slug": "cuda-other"})})
    assert gate.go().verdict == "FAIL"


def test_records_that_cannot_be_compared_are_red(gate: FakeGate) -> None:
    gate.document = lambda run: run.model_copy(update={"model": {**run.model, "digest": "another"}})
    outcome = gate.go()
    assert outcome.verdict == "FAIL" and [o.kind for o in outcome.objected] == ["comparison"]
    assert "base and head cannot be compared" in gate.report
    assert gate.go(MPCHECK_GATE_ALLOW="comparison").verdict == "PASS"


def test_a_repository_without_code_is_about_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = FakeGate(tmp_path, monkeypatch)
    git(gate.root, "rm", "-rfq", "pkg")
    git(gate.root, "commit", "-qm", "two")
    gate.change(a_model="trained anew")
    assert gate.go().verdict == "PASS" and gate.seen["head"]["a.model"] == "trained anew" and "base" not in gate.seen
    gate.change(mpcheck_toml=line('"radial*", ', ""))
    assert gate.go().verdict == "FAIL"


def test_a_pointer_of_git_lfs_is_the_file_that_it_names(gate: FakeGate) -> None:
    import hashlib

    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(b'big').hexdigest()}\nsize 3\n"
    gate.change(a_model=pointer)
    git(gate.root, "commit", "-qm", "two", "a.model")
    gate.change(a_model="big")
    assert gate.go().objections == [] and gate.seen["base"]["a.model"] == "big"
    gate.change(a_model="bigger")
    with pytest.raises(InputError, match="a pointer of Git LFS, not the file; fetch it"):
        gate.go()


def test_many_ratios_that_moved_below_their_limits_are_red(gate: FakeGate) -> None:
    gate.base, gate.head = samples.grid(lambda *_: 0.5), samples.grid(lambda *_: 0.98)
    outcome = gate.go(MPCHECK_GATE_ONLY_NEW="true")
    assert (outcome.verdict, outcome.code) == ("FAIL", 1)
    assert outcome.headline.endswith("0 red, 120 ratios moved beyond noise") and "120 ratios moved beyond noise" in gate.report
    assert "120 ratios moved beyond noise" in (gate.out / "report.html").read_text()
    assert gate.go(MPCHECK_GATE_ALLOW="moved").verdict == "PASS"


def test_what_is_gone_is_red_and_what_improved_is_not(gate: FakeGate) -> None:
    gate.head = samples.grid()[:-2]
    outcome = gate.go()
    assert outcome.verdict == "FAIL" and "2 gone" in outcome.headline
    gate.base, gate.head = samples.grid(lambda *_: 0.98), samples.grid(lambda *_: 0.5)
    outcome = gate.go()
    assert outcome.verdict == "PASS" and outcome.comparison is not None and set(outcome.comparison.counts) == {"improved"}
