"""A comment is written by our words alone from records that nobody vouches for, by an environment without torch."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from mpcheck._errors import InputError
from mpcheck.cli.main import main
from mpcheck.history.gates import append_gate, entry_of, gate_history_path
from mpcheck.records.document import Records
from mpcheck.records.limits import Limits
from mpcheck.records.read import Results
from mpcheck.report.comment import LIMIT_BYTES, comment
from tests.unit import report_samples as samples
from tests.unit.report_samples import store

TORCHLESS = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "numpy", "scipy", "ase", "mace", "e3nn", "cuequivariance", "matplotlib", "pytest", "hypothesis"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
from mpcheck.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """What a gate leaves: base green, head with one wrong block."""
    store(tmp_path / "gate/base", samples.green())
    store(tmp_path / "gate/head", samples.red())
    return tmp_path / "gate"


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def tokens(text: str) -> list[Token]:
    found = []
    for token in MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").parse(text):
        found += [token, *(token.children or ())]
    return found


def test_the_wrong_block_is_told_and_that_it_is_new(gate: Path) -> None:
    text = comment(gate)
    assert text.startswith("# ✗ FAIL")
    red = text.partition("## What is red")[2]
    assert samples.CULPRIT.replace("_", r"\_") in red.split("\n## ")[0]
    assert "What changed against the base" in text


def test_nothing_to_compare_with(gate: Path) -> None:
    for path in (gate / "base").iterdir():
        path.unlink()
    assert "against the base" not in comment(gate)


def test_since_when(gate: Path, tmp_path: Path) -> None:
    results = samples.red()
    document = results.first
    then = document.environment.model_copy(update={"commit": "1234567890ab", "date": "2026-01-01T00:00:00+00:00"})
    earlier = document.model_copy(update={"environment": then})
    path = gate_history_path(tmp_path / "history", "cpu-made-up-avx2")
    append_gate(path, entry_of(Results(results.documents | {document.suite: earlier}, results.files)))
    assert "1234567890ab" in comment(gate, tmp_path / "history")
    assert "1234567890ab" not in comment(gate)
    assert comment(gate, tmp_path / "no history yet") == comment(gate)


def test_what_else_the_job_left_is_not_read(gate: Path) -> None:
    before = comment(gate)
    for name in ("comment.md", "report.md", "report.html", "head/report.md", "head/extra.json", "comparison.json", "head/precision.md"):
        (gate / name).write_text("<b>planted</b> @everyone PASS https://evil.example")
    assert comment(gate) == before


@pytest.mark.parametrize("hostile", samples.HOSTILE, ids=range(len(samples.HOSTILE)))
def test_hostile_names_are_shown_and_not_obeyed(gate: Path, hostile: str) -> None:
    results = samples.red()
    run = results.documents["precision"]
    cells = [samples.cell(hostile, 5.0, system=hostile, backend=hostile, reason=hostile), *run.records]
    model = run.model.model_copy(update={"name": hostile})
    environment = run.environment.model_copy(update={"device_name": hostile, "commit": hostile, "packages": {hostile: hostile}})
    made: dict[str, Records] = {"precision": run.model_copy(update={"records": cells, "model": model, "environment": environment})}
    store(gate / "head", Results(made | {s: d.model_copy(update={"model": model}) for s, d in results.documents.items() if s != "precision"}))
    text = comment(gate)
    assert len(text.encode()) <= LIMIT_BYTES
    kinds = {token.type for token in tokens(text)}
    assert not kinds & {"html_block", "html_inline", "link_open", "image"}, kinds
    shown = "\n".join(t.content for t in tokens(text) if t.type == "text")
    assert not re.search(r"(^|[^\w`])@\w|https?://|\bwww\.|(?<![\w&])#\d|\bGH-\d", shown)


def test_a_gate_that_left_nothing(gate: Path) -> None:
    for path in (gate / "head").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"no records in .*head; expected one of precision\.json"):
        comment(gate)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"suite": "comparison"}, "suite"),
        ({"suite": "bench"}, "records"),
        ({"x\n::error::planted\u2028": 1}, "field x ::error::planted"),
        ({"schema_version": 99}, "schema_version is 99"),
        ({"html": "<b>"}, "html"),
        ({"seconds": "1e999"}, "seconds"),
        ({"model": {"name": "builtin:hco", "digest": "other"}}, "different models"),
        ({"environment": samples.head()["environment"] | {"device_name": {}}}, "device_name"),
        ({"cells": [], "findings": []}, "precision.json: field"),
        ({"records": [{"subject": "x"}]}, "records.0"),
    ],
)
def test_records_that_are_none(gate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: dict[str, Any], named: str) -> None:
    change(gate / "head/precision.json", **fields)
    out = tmp_path / "comment.md"
    out.write_text("before")
    assert main(["comment", str(gate), "--out", str(out)]) == 2
    told = capsys.readouterr().err.strip()
    assert named in told and len(told.splitlines()) == 1
    assert out.read_text() == "before"


def test_a_session_under_another_name(gate: Path) -> None:
    (gate / "head/symmetry.json").rename(gate / "head/audit.json")
    with pytest.raises(InputError, match=r"precision, audit, bench hold precision, symmetry, bench; give records by the names"):
        comment(gate)


@pytest.mark.parametrize("slug", ["../../etc", "/etc", "a/b", "", ".", "..", "a\nb"])
def test_a_device_cannot_lead_out_of_the_history(gate: Path, tmp_path: Path, slug: str) -> None:
    for path in (gate / "head").iterdir():
        change(path, environment=samples.head()["environment"] | {"device_slug": slug})
    with pytest.raises(InputError, match=r"device_slug"):
        comment(gate, tmp_path / "history")


@pytest.mark.parametrize("what", ["file", "directory", "side"])
def test_links_and_directories_are_refused(gate: Path, tmp_path: Path, what: str) -> None:
    path = gate / "head/precision.json"
    if what == "side":
        (gate / "head").rename(tmp_path / "elsewhere")
        (gate / "head").symlink_to(tmp_path / "elsewhere")
    else:
        kept = path.rename(tmp_path / "kept.json")
        path.symlink_to(kept) if what == "file" else path.mkdir()
    with pytest.raises(InputError, match="no ordinary"):
        comment(gate)


@pytest.mark.parametrize(("limits", "named"), [(Limits(file_bytes=1000), "larger than"), (Limits(rows=10), "rows"), (Limits(text=8), "characters")])
def test_limits(gate: Path, limits: Limits, named: str) -> None:
    with pytest.raises(InputError, match=named):
        comment(gate, limits=limits)


def test_many_cells_fit_a_comment(tmp_path: Path) -> None:
    store(tmp_path / "head", samples.many(20_000))
    assert len(comment(tmp_path).encode()) <= LIMIT_BYTES


@pytest.mark.parametrize("words", [["comment", "{gate}", "--out", "{out}"], ["report", "{gate}/head", "--markdown", "{out}", "--html", "{out}.html"]])
def test_without_torch(gate: Path, tmp_path: Path, words: list[str]) -> None:
    out = tmp_path / "out.md"
    arguments = [word.format(gate=gate, out=out) for word in words]
    done = subprocess.run([sys.executable, "-c", TORCHLESS, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert "FAIL" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("head", "conclusion", "begins", "said"),
    [
        (samples.green, "failure", "# ✗ FAIL", "the run ended as failure although its records are green"),
        (samples.green, "timed\\_out", "# ✗ FAIL", "the run ended as timed\\_out although"),
        (samples.green, "success", "# ✓ PASS", ""),
        (samples.green, "", "# ✓ PASS", ""),
        (samples.red, "success", "# ✓ PASS", "what is red is red in base, too"),
        (samples.red, "failure", "# ✗ FAIL", ""),
    ],
)
def test_a_session_without_records_does_not_make_the_comment_green(
    head: Callable[[], Results], conclusion: str, begins: str, said: str, tmp_path: Path
) -> None:
    """A crashed session leaves no records; GitHub's own word on the run is what is left to go by."""
    store(tmp_path / "gate/head", head())
    words = [
        "comment",
        str(tmp_path / "gate"),
        "--out",
        str(tmp_path / "c.md"),
        *(["--conclusion", conclusion.replace("\\", "")] if conclusion else []),
    ]
    assert main(words) == 0
    text = (tmp_path / "c.md").read_text(encoding="utf-8")
    assert text.startswith(begins) and said in text and ("the run ended" in text) == bool(said)


def objected(directory: Path, **fields: Any) -> None:
    row = {"kind": "settings", "what": "blocks", "base": "a, b", "head": "a", "effect": "narrows"} | fields
    (directory / "gate.json").write_text(json.dumps({"schema_version": 1, "suite": "gate", "allow": [], "objections": [row]}))


def test_differences_of_what_decides_stand_at_the_top(tmp_path: Path) -> None:
    for side in ("base", "head"):
        store(tmp_path / side, samples.green())
    objected(tmp_path)
    for conclusion in ("", "failure"):
        text = comment(tmp_path, conclusion=conclusion).splitlines()
        assert "FAIL" in text[0] and any("setting blocks: a, b in base, a in head (less would be judged)" in line for line in text[:8])
    assert "PASS" in comment(tmp_path, conclusion="success").splitlines()[0], "GitHub's word goes before the artifact's"
    objected(tmp_path, effect="widens")
    text = comment(tmp_path, conclusion="success")
    assert "PASS" in text.splitlines()[0] and "setting blocks" in text


def test_what_moved_is_red_in_a_comment(tmp_path: Path) -> None:
    store(tmp_path / "base", samples.results(samples.run(samples.grid(lambda *_: 0.5))))
    store(tmp_path / "head", samples.results(samples.run(samples.grid(lambda *_: 0.98))))
    text = comment(tmp_path, conclusion="failure").splitlines()
    assert "FAIL" in text[0] and any("120 ratios moved beyond noise" in line for line in text[:8])


@pytest.mark.parametrize("text", samples.HOSTILE)
def test_what_differs_is_data(text: str, tmp_path: Path) -> None:
    store(tmp_path / "head", samples.green())
    objected(tmp_path, what=text[:400].encode("utf-8", "replace").decode())
    for token in tokens(comment(tmp_path)):
        assert token.type not in ("html_block", "html_inline", "image", "link_open"), token


@pytest.mark.parametrize("broken", ["{}", "[", '{"schema_version": 1, "suite": "gate", "allow": ["everything"], "objections": []}', "link"])
def test_a_gate_file_that_is_none_of_ours_is_refused(broken: str, tmp_path: Path) -> None:
    store(tmp_path / "head", samples.green())
    if broken == "link":
        (tmp_path / "gate.json").symlink_to(tmp_path / "head" / "bench.json")
        assert "PASS" in comment(tmp_path).splitlines()[0]
        return
    (tmp_path / "gate.json").write_text(broken)
    with pytest.raises(InputError, match=r"^gate .*gate\.json"):
        comment(tmp_path)
