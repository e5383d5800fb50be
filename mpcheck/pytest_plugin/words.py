"""What pytest says of a test's records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mpcheck._text import terminal
from mpcheck.records.finding import Finding
from mpcheck.records.items import first_changed
from mpcheck.records.outcome import WORDS, Outcome, red
from mpcheck.records.record import Cell

Rows = Sequence[tuple[str, dict[str, Any]]]
GOLDEN_TOLD = 8


def failures(rows: Rows) -> str:
    """Why a test fails; empty where none of its records is red."""
    lines = []
    for kind, data in rows:
        if kind == "golden" or not red(data["verdict"], data["tolerated"]):
            continue
        name = Cell.model_validate(data).id if kind == "cell" else Finding.model_validate(data).id
        worst = _worst(data) if kind == "cell" else data["worst"] and f"worst: {data['worst']}"
        lines += [f"{name}: {data['verdict']}: {data['reason']}", *([f"  {worst}"] if worst else [])]
    return "\n".join(terminal(line) for line in lines + _golden([data for kind, data in rows if kind == "golden"]))


def _worst(data: dict[str, Any]) -> str:
    """The worst element of the first tensor that failed, in words."""
    for q in data["quantities"]:
        if q["failures"] and q["worst"] is not None:
            w = q["worst"]
            return f"worst element of {q['name']}: {w['place']}: got {w['value']}, expected {w['expected']}, allowed error {w['allowed']}"
    return ""


def _golden(rows: Sequence[dict[str, Any]]) -> list[str]:
    failed = [row for row in rows if row["failure"]]
    if not failed:
        return []
    block = first_changed(rows)
    began = f", first in the output of {block}" if block else ", in no block's output"
    head = f"float64 values of {rows[0]['system']} differ from baselines/numerics in {len(failed)} of {len(rows)} tensors{began}:"
    return [head, *(f"  {row['name']}: {row['failure']}" for row in failed[:GOLDEN_TOLD])]


def unsupported(rows: Rows) -> str:
    """Why a test is skipped: none of its work could run here; empty where some could."""
    verdicts = [data.get("verdict", "pass") for _, data in rows]
    return terminal(f"unsupported({rows[0][1]['reason']})") if verdicts and all(v == "unsupported" for v in verdicts) else ""


def tell_junit(config: pytest.Config, came: Outcome, lines: Sequence[str]) -> None:
    """The outcome as a property of pytest's JUnit file; one that no test shows is an error in it, too."""
    from _pytest.junitxml import xml_key

    xml = config.stash.get(xml_key, None)
    if xml is None:
        return
    xml.add_global_property("mpcheck", WORDS[came])
    if came in ("crashed", "nothing judged"):
        text = "\n".join(lines)
        where = ("mpcheck", None, "outcome")
        xml.pytest_runtest_logreport(pytest.TestReport("mpcheck::outcome", where, {}, "failed", f"{WORDS[came]}: {text}", "call"))
