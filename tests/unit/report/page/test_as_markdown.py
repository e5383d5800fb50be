"""The Markdown twin: the order of the page, its limits, and nothing that data made."""

from __future__ import annotations

import re

import pytest

from mpcheck.history.compare import compare
from mpcheck.report.page import summary_markdown
from tests.unit import report_samples as samples
from tests.unit.report.page.hostile_page import comparison, hostile
from tests.unit.report_samples import html_of


def test_both_forms_come_in_the_same_order() -> None:
    head = samples.red()
    comparison = compare(samples.results(samples.run(samples.grid())), head)
    order = [
        "What is red",
        "What changed against the base",
        "Error ÷ allowed error, block by block",
        "Latency",
        "Environment and provenance",
    ]
    for mark, text in (("<h2>", html_of(head, comparison=comparison)), ("## ", summary_markdown(head, comparison))):
        places = [text.index(f"{mark}{title}") for title in order]
        assert places == sorted(places)


@pytest.mark.parametrize("text", samples.HOSTILE)
def test_markdown_holds_no_markup_that_data_made(text: str) -> None:
    results = hostile(text)
    made = summary_markdown(results, comparison(results, text), title=text)
    made.encode("utf-8")
    assert not {c for c in made if not c.isprintable() and c != "\n"}
    prose = re.sub(r"^(`{3,})sh\n(.*)\n\1$", "", made, flags=re.MULTILINE)  # commands are shown as they are
    assert "```" not in prose
    assert not re.search(r"(?<!\\)<", prose)
    assert not re.search(r"(?<!\\)[\[\]]", prose.replace("[95 %]", "").replace("[+29.0, +31.0]", ""))
    assert not re.search(r"(?<!\\)(?:\\\\)*`", prose)
    assert not re.search(r"@(?!&#8203;)", prose)
    assert not re.search(r"\\#\w", prose)
    assert not re.search(r"://|www\.|mailto:\w|GH-\d", prose)
    assert not re.search(r"\$|(?<!\\)~", prose)
    assert not re.search(r"&(?!amp;|#8203;|#36;)", prose)
    assert all(
        line.startswith(("#", "|", "-", "  -", "**", "Model ", "Base: ", "Innermost ", "Repeat ", "The worst ", "")) for line in prose.splitlines()
    )


@pytest.mark.parametrize("text", samples.HOSTILE)
def test_tables_of_markdown_keep_their_columns(text: str) -> None:
    results = hostile(text)
    made = summary_markdown(results, comparison(results, text))
    width = 0
    for line in re.sub(r"^(`{3,})sh\n(.*)\n\1$", "", made, flags=re.MULTILINE).splitlines():
        columns = len(re.findall(r"(?<!\\)\|", line))
        if not line.startswith("|"):
            assert columns == 0
            width = 0
        else:
            width = width or columns
            assert columns == width


@pytest.mark.parametrize("limit", [900_000, 60_000, 8_000, 1_500, 300])
def test_markdown_keeps_to_its_limit_and_the_verdict_stays(limit: int) -> None:
    results = samples.results(samples.run([samples.cell(f"blocks.{i}." + "x" * 300, 3.0, reason="y" * 5000) for i in range(900)]))
    text = summary_markdown(results, limit_bytes=limit)
    assert len(text.encode()) <= limit
    assert "FAIL" in text.splitlines()[0]


def test_markdown_says_how_much_was_cut() -> None:
    results = samples.results(samples.run([samples.cell(f"blocks.{i}.linear", 3.0, reason="y" * 250) for i in range(90)]))
    text = summary_markdown(results, limit_bytes=20_000)
    found = re.search(r"([\d,]+) more red conclusions in the records", text)
    assert found is not None
    assert text.count("y" * 250) + int(found[1]) == 90
    assert text.index("## What is red") < text.index("| session |")
