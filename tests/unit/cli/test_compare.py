"""`mpcheck compare`: what changed between two files, and files that are none."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from mpcheck.cli.main import main
from mpcheck.records.document import read_records
from tests.unit.commands import refusal

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_a_run_compared_with_itself(written: tuple[subprocess.CompletedProcess[str], Path], capfd: pytest.CaptureFixture[str]) -> None:
    path = str(written[1] / "precision.json")
    assert main(["compare", path, path]) == 0
    out, _ = capfd.readouterr()
    run = read_records(Path(path))
    assert out.splitlines()[-1] == f"NOTHING WORSE: nothing changed, {len(run.records)} bit-identical"


def altered(path: Path, target: Path, **changes: object) -> str:
    document = json.loads(path.read_text(encoding="utf-8"))
    document["records"][0].update(changes)
    target.write_text(json.dumps(document), encoding="utf-8")
    return str(target)


def test_a_changed_verdict_is_reported(
    written: tuple[subprocess.CompletedProcess[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written[1] / "precision.json"
    other = altered(path, tmp_path / "other.json", verdict="fail", reason="because")
    assert main(["compare", str(path), other]) == 1
    out, _ = capfd.readouterr()
    assert "CHANGED FOR THE WORSE: 1 new failure, " in out
    assert "pass -> fail: because" in out


def test_bad_records(written: tuple[subprocess.CompletedProcess[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    good = written[1] / "precision.json"
    text = good.read_text(encoding="utf-8")
    document = json.loads(text)
    contents = {
        "truncated": text[: len(text) // 2],
        "empty": "",
        "list": "[]",
        "schema": json.dumps(document | {"schema_version": 99}),
        "field": json.dumps(document | {"records": [{}]}),
        "anonymous": json.dumps(document | {"model": {}}),
        "other model": json.dumps(document | {"model": {"name": "m", "digest": "other"}}),
        "other suite": json.dumps(document | {"suite": "other"}),
    }
    for name, content in contents.items():
        path = tmp_path / "bad.json"
        path.write_text(content, encoding="utf-8")
        message = refusal(capfd, "compare", str(good), str(path))
        assert str(path) in message or name.startswith("other")
    (tmp_path / "latin.json").write_bytes(b"\xe9")
    for name in ("missing.json", "latin.json", str(tmp_path)):
        assert name in refusal(capfd, "compare", name, str(good))
