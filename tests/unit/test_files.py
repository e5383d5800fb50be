"""Nothing but regular files is read or replaced; no command overwrites an input or a file of another kind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from mpcheck._files.io import read_bytes, sha256_file
from mpcheck._files.kinds import kind_of
from mpcheck._files.lines import append_line
from mpcheck.cli.main import main
from mpcheck.history.gates import append_gate
from mpcheck.history.gates import entry_of as gate_entry
from mpcheck.history.latency.baseline import write_baseline
from mpcheck.history.latency.history import append, entry_of
from mpcheck.records.read import Results
from tests.unit import bench_samples, report_samples
from tests.unit.record_samples import SLUG
from tests.unit.test_comment import write

PREFIX = "mpcheck: error:"


def small(whole: Results) -> Results:
    """The first rows of each session."""
    few = {name: found.model_copy(update={"records": found.records[:4]}) for name, found in whole.documents.items()}
    return Results(few)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.mkdir()


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # a socket's name is short


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to(path.with_name("pipe"))


MAKERS = [fifo, directory, unix_socket, endless, link_to_a_pipe]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of two runs and the stores of two devices."""
    root = tmp_path_factory.mktemp("stores")
    write(root / "base", small(report_samples.green()))
    write(root / "head", small(report_samples.red()))
    figures = bench_samples.baseline()
    write_baseline(root / "b" / bench_samples.SLUG / "bench.json", figures)
    append(root / "b" / bench_samples.SLUG / "bench-history.jsonl", entry_of(figures, "run"))
    append_gate(root / "g" / SLUG / "gate-history.jsonl", gate_entry(report_samples.green()))
    return root


@pytest.fixture(autouse=True)
def place(stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The stores in a directory of the test's own; whoever waits for a pipe is woken, and fails."""

    def late(number: int, frame: FrameType | None) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPCHECK_CACHE_DIR", str(tmp_path / "cache"))
    shutil.copytree(stores, tmp_path, dirs_exist_ok=True)
    yield tmp_path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def refusal(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of a command that must refuse."""
    status = main(list(words))
    out, err = capfd.readouterr()
    lines = [line for line in (out + "\n" + err).splitlines() if PREFIX in line]
    assert status == 2, out + err
    assert len(lines) == 1, out + err
    assert "Traceback" not in out + err
    return lines[0]


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


WRITING = {
    "compare --markdown": ("x.md", "compare base head --markdown x.md"), "compare --json": ("x.json", "compare base head --json x.json"),
    "report --html": ("x.html", "report head --html x.html"), "report --markdown": ("x.md", "report head --markdown x.md"),
    "report --summary": ("x.md", "report head --summary x.md"), "comment": ("x.md", "comment . --out x.md"),
    "merge": ("m/precision.json", "merge head/precision.json --out m"), "merge's text": ("m/precision.md", "merge head/precision.json --out m"),
    "plot": ("x.svg", "history plot * --dir b --out x.svg"), "derive": ("x.yaml", "tolerances derive --out x.yaml --system builtin:isolated"),
    "run": ("o/precision.json", "run --out o --system builtin:isolated"), "junit": ("o/audit.xml", "audit --out o --system builtin:isolated"),
    "profile": ("o/profile.md", "profile --out o --system builtin:isolated"), "bench": ("o/pytest-benchmark.json", "bench --out o"),
}  # fmt: skip


def node(path: Path) -> tuple[int, bool]:
    return path.lstat().st_mode, path.is_symlink()


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("name", WRITING)
def test_nothing_but_regular_files_is_replaced(name: str, make: Callable[[Path], None], place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file, words = WRITING[name]
    (place / file).parent.mkdir(exist_ok=True)
    make(place / file)
    before = node(place / file)
    assert file in refusal(capfd, *words.split())
    assert node(place / file) == before


def _first(pattern: str) -> Callable[[Path], bytes]:
    return lambda place: next(place.rglob(pattern)).read_bytes()


def _these(content: bytes) -> Callable[[Path], bytes]:
    return lambda _: content


OTHERS = {
    "records": _first("audit.json"), "latencies": _first("bench-history.jsonl"), "history": _first("gate-history.jsonl"),
    "figures": lambda place: (place / "b" / bench_samples.SLUG / "bench.json").read_bytes(), "binary": _these(b"\xff\x00\x01"),
    "html": _these(b"\n<!doctype html>\n<html></html>"), "model": _these(b"PK\x03\x04 torch"), "png": _these(b"\x89PNG\r\n\x1a\n"),
    "safetensors": _these((40).to_bytes(8, "little") + b'{"a":{"dtype":"F32"}}' + b" " * 60), "json": _these(b'{"a": 1}'),
    "limits": _these(b"schema_version: 1\nuniversal: {}\n"),
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("name", WRITING)
def test_a_file_of_another_kind_is_not_replaced(name: str, other: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file, words = WRITING[name]
    if (name, other) in (("report --html", "html"), ("report --summary", "limits")) or (other == "limits" and file.endswith(".md")):
        pytest.skip("the same kind, or plain text in a file of that name")
    content = OTHERS[other](place)
    (place / file).parent.mkdir(exist_ok=True)
    (place / file).write_bytes(content)
    line = refusal(capfd, *words.split())
    assert file in line and "would be replaced" in line
    assert (place / file).read_bytes() == content


def same(path: Path, other: Path) -> None:
    other.hardlink_to(path)


def link(path: Path, other: Path) -> None:
    other.symlink_to(path)


@pytest.mark.parametrize("words", ["compare base/audit.json head --markdown", "compare base head --json", "report base --html", "comment . --out"])
@pytest.mark.parametrize("alias", [same, link, None])
def test_an_input_is_no_output_by_any_name(
    words: str, alias: Callable[[Path, Path], None] | None, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, name = place / "base/audit.json", "base/./../base/audit.json"
    before = source.read_bytes()
    if alias is not None:
        name = "other.md"
        alias(source, place / name)
    assert "would be overwritten" in refusal(capfd, *words.split(), name)
    assert source.read_bytes() == before


def test_two_outputs_are_two_files(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "name the same file" in refusal(capfd, "compare", "base", "head", "--json", "x", "--markdown", "./x")
    assert not (place / "x").exists()


def test_what_was_written_is_written_again(place: Path) -> None:
    commands = [
        "compare base head --markdown x.md --json x.json", "report head --html r.html --markdown r.md --summary s", "comment . --out c.md",
        "merge head/precision.json --out m", "history plot * --dir b --out h.svg", "history plot * --dir b --out h.png",
    ]  # fmt: skip
    for words in (*commands, *commands):
        assert main(words.split()) in (0, 1), words
    link(place / "x.md", place / "latest.md")
    assert main("compare base head --markdown latest.md".split()) in (0, 1)
    assert stat.S_ISREG((place / "latest.md").lstat().st_mode), "a link is replaced, not what it leads to"


def test_kinds_are_told_apart(place: Path) -> None:
    assert kind_of(place / "base/audit.json") == "records of audit"
    assert kind_of(next((place / "b").rglob("bench.json"))) == "stored figures of bench"
    assert kind_of(next((place / "g").rglob("*.jsonl"))) == "a history"
    assert kind_of(place / "nothing") == ""
    (place / "empty").touch()
    assert kind_of(place / "empty") == ""


def test_what_arrives_counts_and_not_a_size_that_was_told(tmp_path: Path) -> None:
    status = Path("/proc/self/status")  # of no bytes, by stat
    assert status.stat().st_size == 0
    assert b"VmRSS" in read_bytes(status, "file")
    assert len(sha256_file(status)) == 64
    with pytest.raises(Exception, match="larger than 0 MiB"):
        read_bytes(status, "file", limit=16)


@pytest.mark.parametrize("make", MAKERS)
def test_a_history_is_appended_to_a_file_only(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    make(path)
    with pytest.raises(Exception, match="not a file"):
        append_line(path, gate_entry(report_samples.green()), "history")
