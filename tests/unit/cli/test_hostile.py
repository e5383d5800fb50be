"""Hostile records, settings, histories, names of files and exceptions, through the commands as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import mpcheck.gate.run as run_module
from mpcheck.cli.main import main
from mpcheck.gate.outcome import Outcome
from mpcheck.gate.sessions import Crash
from mpcheck.history.gates import append_gate, entry_of, gate_history_path
from mpcheck.history.latency.baseline import bench_path, write_baseline
from mpcheck.history.latency.history import append as append_latency
from mpcheck.history.latency.history import entry_of as latency_entry
from mpcheck.history.latency.history import history_path
from mpcheck.records.read import Results
from tests.unit import bench_samples
from tests.unit import report_samples as samples
from tests.unit.hostile import KEPT, TEXTS, check, hostile, poisoned, sessions, unseen
from tests.unit.report_samples import store

SLUG = "cpu-made-up-avx2"
NAMES = [t for t in TEXTS if "\0" not in t and "/" not in t and len(t.encode("utf-8", "replace")) < 200]
"""Texts that a file may have as its name."""
SET_OUTPUT = "\n::set-output name=x::y"


def told(capfd: pytest.CaptureFixture[str], *words: str | Path) -> int:
    """The status of a command whose output is harmless."""
    status = main([str(word) for word in words])
    out, err = capfd.readouterr()
    for name, text in (("stdout", out), ("stderr", err)):
        check(f"{words[0]}: {name}", text)
    assert "Traceback" not in err
    return status


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_commands_that_read_records(text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    head, base = store(tmp_path / "gate/head", hostile(text, (*KEPT, "date"))), store(tmp_path / "gate/base", sessions())
    history = tmp_path / "history"
    readable = len(text) < 9000  # long ones are refused: one line says so. Half a pair is written as its escape
    append_gate(gate_history_path(history, SLUG), poisoned(entry_of(sessions()), text))
    written = [tmp_path / name for name in ("compare.md", "report.md", "comment.md")]
    results = [
        told(capfd, "compare", base, head, "--markdown", written[0]),
        told(
            capfd,
            "report",
            head,
            "--base",
            base,
            "--markdown",
            written[1],
            "--title",
            text.replace("\0", ""),
            "--history",
            history,
        ),
        told(capfd, "comment", tmp_path / "gate", "--out", written[2], "--history", history),
        told(capfd, "history", "record", head, "--dir", history, "--untrusted"),
        told(capfd, "merge", head, "--out", tmp_path / "merged") if text in TEXTS[6:14] else 0,  # it draws: a second each
    ]
    told(capfd, "history", "show", "--dir", history)
    told(capfd, "history", "changes", "--what", "ratio", "--dir", history)
    assert set(results) <= {0, 1} if readable else 2 in results, results
    files = [path for path in (*written, *(tmp_path / "merged").glob("*.md")) if path.exists()]
    assert len(files) >= 3 or not readable
    for path in files:
        assert not unseen(path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize("text", [text for text in TEXTS if "\ud800" in text], ids=lambda text: ascii(text)[:30])
def test_records_that_somebody_else_wrote_with_half_a_pair_are_refused(text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is valid JSON, which no writer of ours makes and no file of ours could repeat."""
    base = store(tmp_path / "gate/base", sessions())
    forged = tmp_path / "gate/head/precision.json"
    forged.parent.mkdir()
    document = hostile(text).documents["precision"].model_dump()
    forged.write_text(json.dumps(document))
    for words in (
        ["compare", base, forged], ["report", forged, "--html", tmp_path / "x"],
        ["history", "record", forged, "--dir", tmp_path / "h", "--untrusted"],
        ["comment", tmp_path / "gate", "--out", tmp_path / "x.md"],
    ):  # fmt: skip
        assert told(capfd, *words) == 2, words


@pytest.mark.parametrize("text", [SET_OUTPUT, *TEXTS[7:13]], ids=lambda text: ascii(text)[:30])
def test_latencies(text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stored = poisoned(bench_samples.baseline(), text)
    write_baseline(bench_path(tmp_path, SLUG), stored)
    append_latency(history_path(tmp_path, SLUG), poisoned(latency_entry(bench_samples.baseline(), "run"), text))
    assert told(capfd, "baseline", "show", "--dir", tmp_path) == 0
    assert told(capfd, "history", "changes", "--dir", tmp_path) == 0
    assert told(capfd, "baseline", "prune", "--dir", tmp_path, "--cell", "*") == 0
    assert told(capfd, "history", "plot", "*", "--dir", tmp_path, "--out", tmp_path / "h.svg") == 0
    assert not unseen((tmp_path / "h.svg").read_text(encoding="utf-8"))


@pytest.mark.parametrize("in_a_job", [False, True])
def test_a_commit_cannot_speak_to_the_runner(
    in_a_job: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Seen in a job with a token that may write: the line of `history record` repeats the commit."""
    results = sessions()
    changed = {s: d.model_copy(update={"environment": d.environment.model_copy(update={"commit": SET_OUTPUT})}) for s, d in results.documents.items()}
    store(tmp_path / "in", Results(changed, []))
    monkeypatch.setenv("GITHUB_ACTIONS", str(in_a_job).lower())
    assert main(["history", "record", str(tmp_path / "in"), "--dir", str(tmp_path / "h"), "--kind", "nightly", "--untrusted"]) == 0
    out = capfd.readouterr().out
    assert out.startswith("added to") and len(out.splitlines()) == 1 and ("::set-output" in out) != in_a_job


@pytest.mark.parametrize(
    "text", [t for t in TEXTS if "\0" not in t and "/" not in t and len(t.encode("utf-8", "replace")) < 200], ids=lambda text: ascii(text)[:30]
)
def test_names_of_files_and_options(text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    missing, broken = tmp_path / f"{text}.json", tmp_path / f"{text}.toml"
    assert told(capfd, "compare", missing, missing) == 2
    for words in (["report", missing, "--html", tmp_path / "x"], ["history", "show", "--dir", missing], ["comment", missing], [f"x{text}"]):
        assert told(capfd, *words) == 2
    if "\ud800" in text:
        return
    broken.write_text(f"[gate]\n{json.dumps(text)} = 1\n")
    assert told(capfd, "gate", "--root", tmp_path, "--config", broken) == 2
    missing.write_text(json.dumps({"schema_version": 1, "suite": text, text: text}))
    assert told(capfd, "compare", missing, missing) == 2
    missing.write_text(json.dumps({"schema_version": 1, "suite": "precision", text: text}))
    assert told(capfd, "report", missing, "--html", tmp_path / "x") == 2


@pytest.mark.parametrize("on_github", [False, True])
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_a_gate(text: str, on_github: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    results = hostile(text)
    concluded = Outcome(text, text, results, sessions(), crashes=[Crash("head", "bench", text), Crash("base", "", text)], notes=[text])
    monkeypatch.setenv("GITHUB_ACTIONS", str(on_github).lower())
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.setattr(run_module, "gate", lambda root, what, own, out, cache, say: (say(text), concluded)[1])
    (tmp_path / "mpcheck.toml").write_text("[gate]\n")
    assert main(["gate", "--root", str(tmp_path)]) == 1
    out = capfd.readouterr().out
    commands = [line for line in out.split("\n") if line.startswith(("::error ", "::warning ", "::notice "))]
    assert bool(commands) == on_github
    check("gate", "\n".join(line for line in out.split("\n") if line not in commands))
    assert not unseen("".join(commands)) and "##[" not in out


def test_an_exception_that_nobody_thought_of_is_told_harmlessly(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", COMMAND], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "ValueError: x" in done.stderr and "Traceback" in done.stderr
    check("crash", done.stdout + done.stderr)
    done = subprocess.run([sys.executable, "-c", JOB], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout.startswith("::error title=mpcheck::ValueError: x%0A::set-output") and done.stdout.count("\n") == 1
    check("job", done.stderr)


RAISED = SET_OUTPUT + "\x1b[2J\u202e##[error]y"
FAILING = "def main():\n    raise ValueError(" + repr(f"x{RAISED}") + ")\n"
COMMAND = f"import mpcheck.cli.main as c\n{FAILING}c.main = main\nc.entry()"
JOB = f"from tools.ci.github import job\n{FAILING}job(main)"


def test_samples_are_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without hostile texts the same commands work: what is tested above is not that everything is refused."""
    head = store(tmp_path / "head", samples.red())
    assert told(capfd, "compare", head, head) == 0
