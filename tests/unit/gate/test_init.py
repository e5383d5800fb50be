"""``mpcheck init``: what it writes is what the gate reads, and nothing that is there is overwritten."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml

import mpcheck.gate.init as init_module
from mpcheck import __version__
from mpcheck._errors import InputError
from mpcheck.cli.main import main
from mpcheck.gate.init import CI, INSTALL, UNKNOWN, filled, initialise, pin, plan, store_baseline
from mpcheck.gate.settings import GateSettings, read_settings
from mpcheck.gate.trees import trees
from mpcheck.history.latency.baseline import write_baseline
from mpcheck.sessions.contract import SessionSpec
from tests.unit.bench_samples import baseline as made_up
from tests.unit.docs_reading import ROOT


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is measured."""
    monkeypatch.setattr(init_module, "store_baseline", lambda *_: ["stored"])


def start(directory: Path, **more: Any) -> tuple[int, list[str]]:
    said: list[str] = []
    options = {"model": "builtin:hco", "device": "cpu", "ci": "github", "install": "", "baseline": False, "force": False, **more}
    return initialise(directory, say=said.append, **options), said


@pytest.mark.parametrize("ci", CI)
def test_what_is_written_is_complete(ci: str, tmp_path: Path) -> None:
    code, said = start(tmp_path, ci=ci)
    target = tmp_path / CI[ci][1]
    assert code == 0 and target.is_file() and "@MODEL@" not in target.read_text()
    assert read_settings(tmp_path, None, {}, {}) == GateSettings()
    assert any("git" in line and "add mpcheck.toml" in line and CI[ci][1] in line for line in said)
    if target.suffix in (".sbatch", ".sh"):
        assert target.stat().st_mode & 0o111
        assert subprocess.run(["bash", "-n", str(target)], check=False).returncode == 0
    else:
        ruamel.yaml.YAML(typ="safe", pure=True).load(target)


def test_the_workflow_calls_the_reusable_one_with_inputs_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init_module, "pin", lambda: ("lab/mpcheck", "a" * 40))
    _, said = start(tmp_path, device="cuda")
    yaml = ruamel.yaml.YAML(typ="safe", pure=True)
    job = yaml.load(tmp_path / ".github/workflows/mpcheck.yml")["jobs"]["gate"]
    called = yaml.load(ROOT / ".github/workflows/precision-gate.yml")
    assert job["uses"] == f"lab/mpcheck/.github/workflows/precision-gate.yml@{'a' * 40}"
    assert set(job["with"]) <= set(called["on"]["workflow_call"]["inputs"]) and job["with"]["device"] == "cuda"
    wanted = called["jobs"].values()
    assert all(job["permissions"].get(name) == level for c in wanted for name, level in c["permissions"].items() if level != "none")
    assert not any("OWNER" in line for line in said)


@pytest.mark.parametrize(
    ("made_from", "requirement"),
    [(UNKNOWN, f"mpcheck=={__version__}"), (("lab/mpcheck", "a" * 40), f"mpcheck @ git+https://github.com/lab/mpcheck@{'a' * 40}")],
)
def test_without_a_gpu_the_workflow_is_complete_in_itself(
    made_from: tuple[str, str], requirement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init_module, "pin", lambda: made_from)
    start(tmp_path)
    text = (tmp_path / ".github/workflows/mpcheck.yml").read_text()
    job = ruamel.yaml.YAML(typ="safe", pure=True).load(text)["jobs"]["gate"]
    assert job["runs-on"] == "ubuntu-24.04" and "uses" not in job and f'pip install "{requirement}"' in text
    assert not re.search(r"@[A-Z]+@|OWNER|COMMIT", text), "a placeholder is left"
    ours = "\n".join(path.read_text() for path in (ROOT / ".github").rglob("*.yml"))
    assert all(step["uses"] in ours for step in job["steps"] if "uses" in step), "the same pins as in mpcheck's own workflows"
    assert [step["run"] for step in job["steps"] if step["name"] == "Gate"] == ["mpcheck gate"]


def test_a_workflow_for_a_gpu_names_the_commit_that_it_calls_or_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init_module, "pin", lambda: UNKNOWN)
    with pytest.raises(InputError, match="give --pin OWNER/REPOSITORY@COMMIT, or --device cpu"):
        start(tmp_path, device="cuda")
    with pytest.raises(InputError, match="--pin lab/mpcheck@main: give OWNER/REPOSITORY@COMMIT, with the commit's 40 digits"):
        start(tmp_path, device="cuda", pinned="lab/mpcheck@main")
    assert not any(tmp_path.iterdir())
    start(tmp_path, device="cuda", pinned=f"lab/mpcheck@{'b' * 40}")
    assert f"lab/mpcheck/.github/workflows/precision-gate.yml@{'b' * 40}" in (tmp_path / ".github/workflows/mpcheck.yml").read_text()


def test_it_ends_by_running_what_it_wrote(tmp_path: Path, quick: None) -> None:
    ran: list[Path] = []

    def run(where: Path) -> int:
        assert read_settings(where, None, {}, {}).model == "builtin:hco", "the files are there"
        ran.append(where)
        return 1

    code, said = start(tmp_path, baseline=True, run=run)
    assert (code, ran) == (1, [tmp_path.resolve()])
    assert said.index("stored") < said.index("the gate, once, as a job will run it") < said.index("now commit it:")


def test_the_pin_is_a_repository_and_a_full_commit_or_nothing() -> None:
    repository, commit = pin()
    assert (repository, commit) == UNKNOWN or (repository.count("/") == 1 and len(commit) == 40)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    name = 'a"\nformats = ["x"] # @DEVICE@'
    made = plan(tmp_path, name, "cpu", "github", "", False)
    (tmp_path / "mpcheck.toml").write_text(made.files["mpcheck.toml"])
    assert read_settings(tmp_path, None, {}, {}).model == name
    assert filled("@A@ @B@ @UNKNOWN@", A="@B@", B="b") == "@B@ b @UNKNOWN@"


def test_install_is_what_the_files_suggest(tmp_path: Path) -> None:
    def chosen(install: str = "") -> str:
        (tmp_path / "mpcheck.toml").write_text(plan(tmp_path, "builtin:hco", "cpu", "github", install, False).files["mpcheck.toml"])
        return read_settings(tmp_path, None, {}, {}).install

    assert chosen() == ""
    (tmp_path / "pyproject.toml").touch()
    assert chosen() == INSTALL and chosen("make install") == "make install"
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").touch()
    assert chosen() == "", "pure Python is put on the path as it is"


def test_nothing_is_overwritten(tmp_path: Path, quick: None) -> None:
    workflow = tmp_path / ".github/workflows/mpcheck.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("mine")
    with pytest.raises(InputError, match=r"mpcheck.yml is there already and stays as it is"):
        start(tmp_path)
    assert workflow.read_text() == "mine" and not (tmp_path / "mpcheck.toml").exists()
    assert start(tmp_path, force=True)[0] == 0 and workflow.read_text() != "mine"
    stored = tmp_path / "baselines" / "cpu" / "precision.json"
    stored.parent.mkdir(parents=True)
    stored.write_text("{}")
    with pytest.raises(InputError, match=r"precision.json is there already; keep it with --no-baseline"):
        start(tmp_path, baseline=True, force=True)
    assert stored.read_text() == "{}"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"ci": "jenkins"}, "--ci jenkins: choose from github, gitlab, slurm, cron"),
        ({"model": "gone.model"}, "model gone.model does not exist"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
    ],
)
def test_bad_input_writes_nothing(more: dict[str, str], expected: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=expected):
        start(tmp_path, **more)
    assert not any(tmp_path.iterdir())
    with pytest.raises(InputError, match="is no directory"):
        start(tmp_path / "gone")


def test_a_red_model_gets_no_baseline_and_the_rest_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def red(*_: object) -> list[str]:
        raise InputError("2 cells are red")

    monkeypatch.setattr(init_module, "store_baseline", red)
    code, said = start(tmp_path, baseline=True)
    assert code == 1 and "no baseline was stored: 2 cells are red" in said and (tmp_path / "mpcheck.toml").is_file()
    assert not any("add" in line and "baselines" in line for line in said)


def test_a_baseline_is_what_the_sessions_read(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ratios are measured; the latencies, which take a minute, are made up."""
    monkeypatch.setenv("MPCHECK_CACHE_DIR", str(cache))
    monkeypatch.setattr(init_module, "REPEATS", 1)

    def bench(spec: SessionSpec, options: dict[str, Any], out: Path) -> int:
        assert (spec.name, options["block"]) == ("bench", ["scale_shift"])
        write_baseline(out / "bench-figures.json", made_up())
        return 0

    monkeypatch.setattr("mpcheck.sessions.launch.start", bench)
    settings = GateSettings.model_validate({"systems": ["builtin:water"], "backends": ["e3nn"], "formats": ["float32"], "blocks": ["scale_shift"]})
    store_baseline(tmp_path, settings, lambda _: None)
    commit, _ = plan(tmp_path, "builtin:hco", "cpu", "slurm", "", True).commands(True)
    stored = [Path(name) for name in commit.split()[4:]]
    assert sorted(p.name for p in stored) == ["bench-history.jsonl", "bench.json", "precision.json"]
    (ratios,) = tmp_path.glob("baselines/*/precision.json")
    assert {name.partition("/")[2].partition("-")[0] for name in json.loads(ratios.read_text())["cells"]} == {"scale_shift"}
    monkeypatch.undo()
    words = ["run", "--system", "builtin:water", "--backend", "e3nn", "--format", "float32", "--block", "scale_shift", "--require", "baseline"]
    assert main([*words, "--cache", str(cache), "--baselines", str(tmp_path / "baselines"), "--out", str(tmp_path / "out")]) == 0


def test_a_model_of_the_repository_is_found_from_its_root(tmp_path: Path) -> None:
    (tmp_path / "arch.yaml").write_text("not: an architecture\n")
    with pytest.raises(InputError, match=r"arch\.yaml"):
        start(tmp_path, model="arch.yaml")
    with trees(tmp_path, "") as (_, head):
        assert head.packages == []
