"""Nothing but regular files is read; what arrives is counted; a disk that takes nothing says so."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mpcheck._files.io import read_bytes, sha256_file
from mpcheck.cli.main import main
from tests.unit import bench_samples, report_samples
from tests.unit.commands import refusal
from tests.unit.files.irregular import MAKERS, directory
from tests.unit.record_samples import SLUG
from tests.unit.report_samples import store

READING = {
    "report": ("x.json", "report x.json --markdown r.md"), "report --base": ("x.json", "report head --base x.json --markdown r.md"),
    "compare": ("x.json", "compare x.json head"), "compare head": ("x.json", "compare base x.json"), "merge": ("x.json", "merge x.json --out m"),
    "record": ("x.json", "history record x.json --dir h"), "comment": ("head/precision.json", "comment . --out c.md"),
    "update": ("x.json", "baseline update x.json --dir b"), "figures": ("x-figures.json", "baseline update x-figures.json --dir b"),
    "show": (f"b/{bench_samples.SLUG}/bench.json", "baseline show --dir b"),
    "changes": (f"b/{bench_samples.SLUG}/bench-history.jsonl", "history changes --dir b"),
    "gates": (f"g/{SLUG}/gate-history.jsonl", "history show --dir g"), "check": ("x.yaml", "tolerances check x.yaml"),
    "tolerances": ("x.yaml", "run --tolerances x.yaml --system builtin:isolated --format float32"),
    "system": ("x.xyz", "blocks --system x.xyz"), "slice": ("x.xyz", "blocks --system x.xyz@::2"), "cif": ("x.cif", "blocks --system x.cif"),
    "pickle": ("x.model", "blocks x.model"), "architecture": ("x.yaml", "blocks x.yaml"), "settings": ("x.toml", "gate --config x.toml"),
    "stored": (f"b/{bench_samples.SLUG}/bench.json", "baseline prune --dir b --older-than 0 --yes"),
}  # fmt: skip


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("name", READING)
def test_nothing_but_regular_files_is_read(name: str, make: Callable[[Path], None], place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file, words = READING[name]
    if make is directory and name in ("report", "report --base", "compare", "compare head", "merge", "record"):
        pytest.skip("a directory of records is read")
    (place / file).unlink(missing_ok=True)
    make(place / file)
    assert Path(file).stem in refusal(capfd, *words.split())


def test_what_arrives_counts_and_not_a_size_that_was_told(tmp_path: Path) -> None:
    status = Path("/proc/self/status")  # of no bytes, by stat
    assert status.stat().st_size == 0
    assert b"VmRSS" in read_bytes(status, "file")
    assert len(sha256_file(status)) == 64
    with pytest.raises(Exception, match="larger than 0 MiB"):
        read_bytes(status, "file", limit=16)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize(
    "words",
    ["compare base head --markdown x.md", "compare base head --json x.json", "report head --html x.html", "report head --pictures p",
     "comment . --out x.md", "merge head/precision.json --out m"],
)  # fmt: skip
def test_a_disk_that_takes_nothing(
    words: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path / "base", report_samples.green())
    store(tmp_path / "head", report_samples.red())
    monkeypatch.chdir(tmp_path)

    def denied(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "mkstemp", denied)
    assert main(words.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mpcheck: error: cannot write") and os.strerror(number) in line
