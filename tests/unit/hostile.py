"""Texts that a careless front end obeys, records with one of them in every text, and what must not come out. Nothing here uses our own
functions for text: what is dangerous is said by Unicode's tables and by what GitHub's runner obeys.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mpcheck._names import GOLDEN, LATENCY, PRECISION, PROFILE, SWEEP
from mpcheck.records.read import Results
from tests.unit import report_samples as samples

Document = TypeVar("Document", bound=BaseModel)
CONTROLS = "".join(map(chr, (*range(32), *range(127, 160))))
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
INVISIBLE = "\u00ad\u034f\u115f\u1160\u17b4\u180b\u180e\u200b\u200c\u200d\u2028\u2029\u2060\u2064\u2800\u3164\ufe0f\ufeff\uffa0\U000e0041\U000e0101"
TEXTS = (
    "\n::set-output name=x::y",
    " \r\n\t ::error::x",
    "\x85::warning::x\x85::debug::y",
    "\u2028::error::x\u2029::error::y",
    "\x0b::add-mask::x\x0c::stop-commands::y",
    ":::error::x",
    "##[error]x ###[add-mask]y ##vso[task.setvariable variable=z]1",
    CONTROLS,
    f"{BIDI}gnp.exe",
    f"a{INVISIBLE}b",
    "\x1b]0;title\x07\x1b]8;;https://evil.example\x07link\x1b[2J\x9b31m",
    "\ud800 half \udcff",
    "z" + "\u0301\u0489" * 40,
    "[bold red]x[/bold red] [link=https://evil.example]y[/link] [/]",
    "--out=/tmp/x $(touch x) `id`; rm -rf ~ #",
    "1. one\n- [x] two\n> three\n=====\n    four\n~~~\n![a](https://evil.example/b.png) <!-- --> @team #1 GH-1 a/b#2 www.evil.example",
    "https://evil.example/model.model",
    *samples.HOSTILE,
)
ELSEWHERE = {"\u034f", "\u115f", "\u1160", "\u17b4", "\u17b5", "\u180b", "\u180c", "\u180d", "\u180f", "\u2800", "\u3164", "\uffa0"}
"""Shown as nothing or as a blank, whatever their category says; so are selectors of variants."""
KEPT = ("suite", "digest", "device_slug", "slug", "kind")
"""Fields that decide what belongs together, and what kind of detail a record has."""
TYPED = (PRECISION, GOLDEN, LATENCY, PROFILE, SWEEP)
"""Checks that decide which table a record is in."""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def unseen(text: str) -> set[str]:
    """Characters that are not shown, or that change how others are."""

    def hidden(c: str) -> bool:
        kind, code = unicodedata.category(c), ord(c)
        selector = 0xFE00 <= code <= 0xFE0F or 0xE0000 <= code <= 0xE0FFF
        return kind in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or (kind == "Zs" and c != " ") or c in ELSEWHERE or selector

    return {c for c in text if c != "\n" and hidden(c)}


def obeyed(text: str) -> list[str]:
    """Lines that GitHub's runner takes for commands, in its present form and in the older one."""
    return [line for line in re.split(r"[\n\r\x0b\x0c\x85\u2028\u2029]", text) if line.strip().startswith("::") or re.search(r"##\w*\[", line)]


def piled(text: str) -> bool:
    """Whether a letter carries so many marks that they cover the lines around."""
    run = 0
    for c in text:
        run = run + 1 if unicodedata.category(c) in ("Mn", "Me") else 0
        if run > 8:
            return True
    return False


def check(where: str, text: str) -> None:
    """Nothing of it is left."""
    assert not unseen(text), (where, sorted(map(ascii, unseen(text))))
    assert not obeyed(text), (where, obeyed(text)[0][:200])
    assert not piled(text), where
    text.encode("utf-8")


def poisoned(document: Document, text: str, keep: tuple[str, ...] = KEPT) -> Document:
    """The text before every text of a document, and as a name and a value in every mapping that takes any; what has a fixed set of values stays.

    Args:
        keep: fields that stay.
    """
    schema = type(document)

    def walk(value: Any, name: str = "") -> Any:
        if isinstance(value, str):
            return value if name in keep or (name == "check" and value in TYPED) else f"{text}{value}"
        if isinstance(value, dict):
            return {key: walk(one, key) for key, one in value.items()} | {text: text}
        return [walk(one, name) for one in value] if isinstance(value, list) else value

    original, changed = document.model_dump(), walk(document.model_dump())
    for _ in range(1000):
        try:
            return schema.model_validate(changed)
        except ValidationError as error:
            for one in error.errors():
                restore(original, changed, one["loc"])
    raise AssertionError("the schema takes no such document")


def restore(original: Any, changed: Any, place: tuple[Any, ...]) -> None:
    """Put back what the schema does not take at a place; what was added there goes."""
    for key in place:
        if isinstance(changed, dict) and key not in changed:
            continue  # the kind of a detail, which is no place in the data
        mapping = isinstance(original, dict)
        if not isinstance(changed, (dict, list)) or (mapping and key not in original) or (not mapping and key >= len(original)):
            break
        if not isinstance(changed[key], (dict, list)):
            changed[key] = original[key]
            return
        original, changed = original[key], changed[key]
    if isinstance(changed, dict):
        for key in set(changed) - set(original):
            del changed[key]


def texts(value: Any) -> Iterator[str]:
    """Every text of a document's data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from texts(key)
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


def sessions() -> Results:
    """All sessions, with something of every verdict and every kind of row."""
    golden = [{"system": "builtin:water", "name": f"{samples.CULPRIT}:out.0", "rms": 1.0, "max": 1.0, "limit": 0.5, "failure": "differs"}]
    cells = [samples.cell(rms=4.0), samples.cell("readouts.0"), samples.cell("readouts.0", verdict="unsupported", reason="no room", quantities=[])]
    head = samples.head()
    told = {"model": head["model"] | {"source": {"tables": "exact", "tables_left": "none"}}}
    verdicts = ("pass", "fail", "known-fault", "inconclusive", "degraded", "unsupported", "indistinguishable")
    rows = [samples.finding(f"check{i}", verdict=v, reason="because", worst="where", variant="turned", ratio=3.0) for i, v in enumerate(verdicts)]
    mapped = {"parent": "", "group": "messages", "depth": 0, "calls": 2, "dtype": "float32", "bound": "host"}
    mapped |= {"host_ms": 1.0, "share": 0.6, "end_to_end_ms": 2.0, "total_device_ms": 1.0}
    profile = [
        samples.finding("profile", "model", variant="energy", figures=mapped), samples.finding("latency", variant="energy", figures={"q50_ms": 1.0}),
        samples.finding("profile", "model", "unsupported", reason="no kernel"), samples.finding("sweep", figures={"l_max": 1, "speedup": 2.0}),
    ]  # fmt: skip
    gone = samples.finding("latency", "old", "removed", reason="no longer there")
    return samples.results(
        samples.run([*cells, *samples.grid(blocks=("interactions.0",))], golden=golden, **told),
        samples.findings("symmetry", rows, **told), samples.findings("audit", rows, **told),
        samples.findings("bench", [samples.latency(samples.CULPRIT, 30.0), gone], **told), samples.findings("profile", profile, **told),
    )  # fmt: skip


def hostile(text: str, keep: tuple[str, ...] = KEPT) -> Results:
    """All sessions with the text in every text."""
    found = sessions()
    return Results({name: poisoned(document, text, keep) for name, document in found.documents.items()}, found.files)


__all__ = ["TEXTS", "check", "hostile", "obeyed", "piled", "poisoned", "sessions", "texts", "unseen"]
