"""Nothing but regular files is read or replaced; no command overwrites an input or a file of another kind."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mpcheck.cli.main import main
from tests.unit import bench_samples
from tests.unit.commands import refusal
from tests.unit.files.irregular import MAKERS

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
