"""The bench session's table and Markdown: honest headlines, no markup from data."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.records.document import Records
from mpcheck.records.record import Record
from mpcheck.report.bench import WIDTH, columns, entries, markdown, render, verdict_line
from tests.unit.accounts import check_record, fields

ENVIRONMENT = {"device_name": "Made <Up> | CPU", "device_slug": "cpu-made-up", "platform": "Linux", "packages": {"torch": "2.13.0"}}


def latency(decision: str = "same", verdict: str = "pass", **fields: Any) -> Record:
    metrics: dict[str, Any] = {"decision": decision, "effect_percent": 0.5, "median_ms": 1.2345} if decision else {}
    given = {"check": "latency", "subject": "products.0", "backend": "e3nn", "format": "float32", "system": "builtin:water*1", "variant": "forward"}
    return check_record(**{**given, "verdict": verdict, "figures": metrics, **fields})


def cost(verdict: str = "pass", **fields: Any) -> Record:
    return latency("", verdict, **{"check": "cost", **fields})


def run_of(*findings: Record) -> Records:
    return Records(
        suite="bench", mpcheck="0", environment=ENVIRONMENT, model={"name": "builtin:hco", "digest": "d"}, systems=[], options={},
        **fields(findings), seconds=12.0,
    )  # fmt: skip


NEW, CANNOT = latency("", "no-baseline", reason="nothing is stored"), latency("", "unsupported", reason="no CUDA device")

SLOWER, UNCLEAR = latency("slower", "fail", reason="slower by 9 %"), latency("inconclusive", "inconclusive")


@pytest.mark.parametrize(
    ("findings", "headline"),
    [
        ([latency(), cost()], "PASS: latency 1 same; cost 0 "), ([latency("faster")], "PASS: latency 1 faster"), ([SLOWER], "FAIL: latency 1 slower"),
        ([latency(), cost("fail")], "FAIL: latency 1 same; cost 1 with more work than before"),
        ([latency(), NEW], "PASS: latency 1 same, 1 no-baseline"),
        ([NEW, cost("no-baseline")], "NOTHING JUDGED: latency 1 no-baseline"),
        ([NEW, CANNOT], "NOTHING JUDGED: latency 1 no-baseline, 1 unsupported"),
        ([CANNOT], "NOTHING JUDGED: latency 1 unsupported"), ([UNCLEAR, NEW], "NOTHING JUDGED: latency 1 inconclusive, 1 no-baseline"),
        ([latency("slower", "inconclusive")], "NOTHING JUDGED: latency 1 slower on a machine that may not gate"),
        ([latency("", "fail", reason="raised X")], "FAIL: latency 1 fail"), ([cost()], "PASS: latency not measured"),
        ([latency("", "removed")], "NOTHING JUDGED: latency 1 removed"), ([], "CRASHED: latency not measured"),
    ],
)  # fmt: skip
def test_the_headline(findings: list[Record], headline: str) -> None:
    run = run_of(*findings)
    assert verdict_line(run).startswith(headline)
    assert f"\n{headline}" in "\n" + render(run)
    assert markdown(run).startswith(f"# mpcheck bench: {headline}")


def test_times_that_nothing_is_stored_for_are_told_all_the_same() -> None:
    def alone(backend: str, fmt: str, milliseconds: float) -> Record:
        figures = {"median_ms": milliseconds, "spread_percent": 1.5}
        return latency("", "no-baseline", backend=backend, format=fmt, figures=figures, reason="nothing is stored for this device in x.json")

    run = run_of(alone("e3nn", "float32", 3.0), alone("e3nn", "bfloat16", 6.0), alone("cueq", "float32", 1.2), cost("no-baseline"))
    texts = [text for _, line in entries(run) for text, _ in line]
    assert [t for t in texts if "×" in t] == ["±1.5% 1.00×", "±1.5% 0.50×", "±1.5% 2.50×"]
    shown = " ".join(render(run).split())
    assert "how many times as fast as the first format and backend" in shown and "NOTHING GATED: latency 3 no-baseline" in shown
    assert "±, gain" in markdown(run) and markdown(run).startswith("# mpcheck bench: NOTHING GATED")
    assert "head against base" in render(run_of(latency(), alone("cueq", "float32", 1.0))), "one that is compared: a gate's table"


def test_a_row_of_the_table() -> None:
    rows = entries(run_of(latency(), cost(), latency("slower", "fail", variant="forward+backward"), cost("fail", variant="forward+backward")))
    assert [(row, [text for text, _ in line]) for row, line in rows] == [
        (("builtin:water*1", "products.0", "e3nn", "float32"), ["1.23", "+0.5% =", "1.23", "+0.5% SLOWER", "MORE"])
    ]


def test_a_blocks_and_the_models_work_share_columns() -> None:
    run = run_of(latency(), latency(subject="model", variant="energy"), latency(subject="model", variant="energy+forces"))
    assert columns(run) == ["forward|energy", "forward+backward|energy+forces"]
    assert [[text for text, _ in line][:4] for _, line in entries(run)] == [["1.23", "+0.5% =", "", ""], ["1.23", "+0.5% ="] * 2]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (NEW, "new"), (CANNOT, "–"), (latency("", "removed"), "gone"), (latency("", "fail"), "fail"), (latency(figures={}), "pass"),
        (latency(figures={"effect_percent": None, "decision": "same"}), "pass"), (latency(figures={"effect_percent": 2.0}), "+2.0%"),
        (latency(figures={"effect_percent": -3.0, "decision": "of tomorrow"}), "-3.0%"),
    ],
)  # fmt: skip
def test_what_is_missing_is_not_made_up(found: Record, text: str) -> None:
    run = run_of(found)
    assert entries(run)[0][1][1][0] == text
    assert render(run) and markdown(run)


@pytest.mark.parametrize(
    ("findings", "text"),
    [
        ([cost()], "="), ([cost(reason="1 fewer launch")], "less"), ([cost("fail")], "MORE"), ([cost("no-baseline")], "new"),
        ([cost("unsupported")], "–"),
        ([cost(), cost("unsupported", variant="forward+backward")], "–"), ([latency()], ""),
    ],
)  # fmt: skip
def test_the_cost_of_a_row(findings: list[Record], text: str) -> None:
    assert entries(run_of(*findings))[0][1][-1][0] == text


HOSTILE = [
    "[bold red]x[/bold red]",
    "[/]",
    "a|b",
    "<script>alert(1)</script>",
    "`x`",
    "x\ny",
    "![i](http://x)",
    "# head",
    "[link](x)",
    "\\",
    "ü" * 300,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_reasons_are_no_markup(text: str) -> None:
    hostile = latency("slower", "fail", subject=text, system=f"{text}*1", backend=text, reason=text)
    run = run_of(hostile, latency("inconclusive", "inconclusive", reason=text), latency("", "unsupported", reason=text, variant="forward+backward"))
    shown = render(run, [text])
    assert "FAIL" in shown
    if "\n" not in text and len(text) < 100:
        assert shown.count(text) >= 4
    for line in markdown(run, [text]).splitlines():
        assert "<script>" not in line and "![i]" not in line and not line.startswith("# head")
        if line.startswith("| ") and line.count("|"):
            bars = line.replace("\\\\", "").replace("\\|", "").count("|")
            assert bars in (3, 10), line


def test_the_table_fits_its_width() -> None:
    long = [
        latency(subject="interactions.0." + "x" * 60 + str(i), system="builtin:" + "y" * 60 + f"*{i}", format="bfloat16", backend="cueq-mul_ir")
        for i in range(3)
    ]
    both = [*long, *(f.model_copy(update={"variant": "forward+backward"}) for f in long)]
    lines = render(run_of(*both)).splitlines()
    table = lines[: next(i for i, line in enumerate(lines) if i and not line.strip())]
    assert len(table) >= 5 and max(map(len, table)) <= WIDTH
    assert "=" in table[-1], "verdicts are not what is cut off"
    plain = render(run_of(*both))
    assert "\x1b" not in plain and "\x1b" in render(run_of(*both), color=True)


def test_many_failures_are_counted_not_listed() -> None:
    many = [latency("slower", "fail", subject=f"b.{i}", ratio=1 + i / 100, reason=f"slower {i}") for i in range(20)]
    text = render(run_of(*many))
    assert "and 14 more fail" in text and "slower 19" in text and "slower 3\n" not in text, "the worst first"
    assert markdown(run_of(*many)).count("slower 1") == 11


def test_notes_are_shown() -> None:
    for text in (
        render(run_of(latency()), ["base and head import the same libraries"]),
        markdown(run_of(latency()), ["base and head import the same libraries"]),
    ):
        assert "base and head import the same libraries" in text
