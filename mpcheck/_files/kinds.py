"""What an existing file is, told from how it begins: so that a command replaces only what it would have written itself."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from mpcheck._files.io import opened

BEGINNING = 64 << 10
MAGIC = (
    (b"\x89PNG\r\n", "a PNG picture"), (b"%PDF", "a PDF"), (b"\x1f\x8b", "a gzip file"), (b"PK\x03\x04", "a model or an archive"),
    (b"\x80\x02", "a pickle"), (b"SQLite format 3", "a database"),
)  # fmt: skip
MARKDOWN, HTML, SVG, XML, JSON, PNG, PDF, GZIP = (
    "Markdown or plain text", "an HTML page", "an SVG picture", "XML", "JSON", "a PNG picture", "a PDF", "a gzip file",
)  # fmt: skip
YAML, ARCHIVE = "YAML", "a model or an archive"
COMPARISON, DERIVED, BENCHMARKS = "a comparison", "a derived tolerance table", "pytest-benchmark's JSON"
PLAIN = ("", ".md", ".markdown", ".txt", ".out", ".log")
TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(:)?|[{}\[\]]')
GENERATED = re.compile(r"^generated: *true *$", re.MULTILINE)


def records_of(session: str) -> str:
    """The kind of a session's records."""
    return f"records of {session}"


def stored_of(session: str) -> str:
    """The kind of what is stored of a session to compare with."""
    return f"stored figures of {session}"


def kind_of(path: Path) -> str:
    """What a regular file holds, in words; empty for an empty file, or where nothing has the name.

    Raises:
        InputError: no regular file, or unreadable.
    """
    try:
        if path.stat().st_size == 0 and not str(path).startswith("/proc"):
            return ""
    except (FileNotFoundError, NotADirectoryError):
        return ""
    with opened(path, "output") as stream:
        data = stream.read(BEGINNING)
    for magic, kind in MAGIC:
        if data.startswith(magic):
            return kind
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") < 1 << 32:
        return "safetensors"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data, final=len(data) < BEGINNING)  # the last character may be cut in two
    except UnicodeDecodeError:
        return "a binary file"
    return "a binary file" if "\0" in text else _kind_of_text(text.lstrip("\ufeff \t\r\n"), path.suffix.lower())


def _kind_of_text(text: str, suffix: str) -> str:
    begins = text[:200].lower()
    if begins.startswith(("<!doctype html", "<html")):
        return HTML
    if begins.startswith(("<?xml", "<svg")):
        return SVG if "<svg" in text[:2000] else XML
    if begins.startswith(("{", "[{", "[\n", "[]")):
        return _kind_of_json(text)
    if suffix in (".yaml", ".yml"):
        return DERIVED if GENERATED.search(text) else YAML
    return MARKDOWN if suffix in PLAIN or text.startswith("# mpcheck ") else f"a {suffix} file"


def _kind_of_json(text: str) -> str:
    fields = _fields(text)
    suite = fields.get("suite", "")
    if suite == "comparison":
        return COMPARISON
    if suite.endswith("-history"):
        return "a history"
    if "provenance" in fields:
        return stored_of(suite)
    if suite and "mpcheck" in fields:
        return records_of(suite)
    return BENCHMARKS if "benchmarks" in fields else JSON


def _fields(text: str) -> dict[str, str]:
    """Names at the top of a JSON object that may be cut off, each with its value where that is a text."""
    depth, fields, name = 0, dict[str, str](), ""
    for token in TOKEN.finditer(text):
        mark = token[0][0]
        if mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
            if not depth:
                break
        elif depth == 1 and token[2]:
            name = token[1]
            fields.setdefault(name, "")
        elif depth == 1 and name and not fields[name]:
            fields[name] = token[1]
    return fields
