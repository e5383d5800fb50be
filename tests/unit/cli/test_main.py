"""The command line: what it prints and writes, and one error line with status 2 for anything that the user can fix."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

from mpcheck import __version__
from mpcheck.cli.main import app, main
from mpcheck.records.document import Records, read_records
from tests.unit import forked, report_samples
from tests.unit.commands import PREFIX, refusal
from tests.unit.report_samples import store

pytestmark = pytest.mark.usefixtures("elsewhere")
SMALL = ["builtin:hco", "--system", "builtin:isolated", "--backend", "e3nn", "--format", "bfloat16"]


def test_run_succeeds_and_says_what_it_wrote(written: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    process, out = written
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stderr == ""
    assert "readouts.0.linear" in process.stdout
    assert f"wrote {out / 'precision.json'}" in process.stdout.replace("\n", "")
    assert PREFIX not in process.stdout
    assert sorted(p.name for p in out.iterdir()) == ["precision.json", "precision.md", "precision.svg", "precision.xml"]
    assert [p.name for p in out.parent.parent.iterdir()] == ["deep"]  # nothing besides


def test_a_shell_is_told_what_completes_a_word(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_MPCHECK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "mpcheck toler")
    monkeypatch.setenv("COMP_CWORD", "1")
    call: Any = app
    with pytest.raises(SystemExit):
        call(args=[], prog_name="mpcheck")
    assert capsys.readouterr().out.split() == ["tolerances"]


def test_records_read_back(written: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    run = read_records(written[1] / "precision.json")
    assert {c.verdict for c in run.records} == {"pass"}
    assert {(c.system, c.backend, c.format) for c in run.records} == {("builtin:solvents:2", "e3nn", "bfloat16")}
    assert {c.variant for c in run.records} == {"forward", "backward"}
    assert all(c.subject.startswith("readouts") for c in run.records)
    assert run.model.name == "builtin:hco"
    assert all(q.rms is not None and q.rms > 0 for c in run.records for q in c.quantities if "readouts.0" in c.subject)


def test_reports_agree_with_the_records(written: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    run, text = read_records(written[1] / "precision.json"), (written[1] / "precision.md").read_text(encoding="utf-8")
    assert {c.subject for c in run.records} <= set(text.replace("\\", "").split())
    assert "PASS" in text.splitlines()[0]
    (suite,) = ElementTree.parse(written[1] / "precision.xml").getroot().iter("testsuite")
    cases = [case for case in suite.iter("testcase") if "bfloat16" in case.attrib["name"]]
    assert len(cases) == len(run.records)
    assert (suite.attrib["failures"], suite.attrib["errors"]) == ("0", "0")


BAD: dict[str, tuple[list[str], str]] = {
    "model": (["run", "nope.model"], "nope.model"),
    "builtin model": (["run", "builtin:nope"], "builtin:hco"),
    "system": (["run", *SMALL, "--system", "builtin:nope"], "builtin:nope"),
    "structure file": (["run", *SMALL, "--system", "nope.xyz@-1"], "nope.xyz"),
    "format": (["run", *SMALL, "--format", "fp8"], "bfloat16"),
    "backend": (["run", *SMALL, "--backend", "nope"], "'nope'"),
    "block pattern": (["run", *SMALL, "--block", "nope*"], "no block matches 'nope*'"),
    "device": (["run", *SMALL, "--device", "gpu"], "'gpu'"),
    "device number": (["run", *SMALL, "--device", "cpu:1"], "'cpu:1'"),
    "tolerance file": (["run", *SMALL, "--tolerances", "bad.yaml"], "bad.yaml"),
    "missing tolerance file": (["run", *SMALL, "--tolerances", "nope.yaml"], "nope.yaml"),
    "capability": (["run", *SMALL, "--require", "luck"], "luck"),
    "cache": (["run", *SMALL, "--cache", "bad.yaml"], "cache directory bad.yaml"),
    "out": (["run", *SMALL, "--out", "bad.yaml/out"], "--out bad.yaml/out"),
    "blocks of no model": (["blocks", "nope.model"], "nope.model"),
    "blocks on no system": (["blocks", "builtin:hco", "--system", "nope.xyz"], "nope.xyz"),
    "tolerances of no block": (["tolerances", "explain", "nope", "bfloat16", "--system", "builtin:isolated"], "nope"),
    "tolerances check": (["tolerances", "check", "nope.yaml"], "nope.yaml"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yaml").write_text("schema_version: 1\nuniversal: {rms: 0}\n", encoding="utf-8")
    arguments, hint = BAD[kind]
    assert hint in refusal(capfd, *arguments)


def test_damaged_baseline_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from mpcheck.records.environment import device_slug

    path = tmp_path / "stored" / device_slug("cpu") / "precision.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"schema_version": 1', encoding="utf-8")
    assert "precision.json" in refusal(capfd, "run", *SMALL, "--baselines", str(tmp_path / "stored"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "1"])
def test_bad_input_in_a_process_of_its_own(tmp_path: Path, workers: str) -> None:
    process = forked.run(["-m", "mpcheck", "run", "nope.model", "--workers", workers], tmp_path)
    assert process.returncode == 2
    assert process.stderr.startswith(f"{PREFIX} model nope.model does not exist")
    assert process.stderr.count("\n") == 1
    assert "Traceback" not in process.stdout


@pytest.mark.parametrize("arguments", [["run", "--nope"], ["nope"], ["run", "--seed", "x"], ["run", "--seed", "-1"], ["compare", "one"], []])
def test_usage_errors(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert "Usage" in out + err
    assert "Traceback" not in out + err


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_without_cuda(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "no CUDA device" in refusal(capfd, "run", *SMALL, "--block", "readouts.0*", "--device", "cuda", "--out", "out")
    run: Records = read_records(tmp_path / "out" / "precision.json")
    assert {(c.verdict, c.reason) for c in run.records} == {("unsupported", "no CUDA device")}


def test_required_cuda_fails(capfd: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("needs a machine without CUDA")
    assert main(["run", *SMALL, "--block", "readouts.0*", "--device", "cuda", "--require", "cuda"]) == 1
    assert "Traceback" not in "".join(capfd.readouterr())


def test_blocks(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["blocks", "builtin:hco", "--system", "builtin:isolated"]) == 0
    out, err = capfd.readouterr()
    assert any(line.split()[:1] == ["interactions.0.conv_tp"] for line in out.splitlines())
    assert "builtin:hco on builtin:isolated" in out
    assert err == ""


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"mpcheck {__version__}\n"


def test_console_script() -> None:
    script = shutil.which("mpcheck", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert script is not None
    assert __version__ in subprocess.run([script, "--version"], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_standard_output_on_a_full_disk(tmp_path: Path) -> None:
    store(tmp_path / "base", report_samples.green())
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "mpcheck", "compare", "base", "base"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr
