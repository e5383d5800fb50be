"""Hostile texts in every text of every session's records, through every front end: nothing that is obeyed or unseen comes out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from markdown_it import MarkdownIt

from mpcheck.gate.github import remarks
from mpcheck.gate.outcome import Outcome, Place
from mpcheck.gate.output import head_lines
from mpcheck.gate.sessions import Crash
from mpcheck.history.compare import Comparison, compare
from mpcheck.history.comparison_file import ComparisonDocument
from mpcheck.history.gates import GateEntry, entry_of
from mpcheck.records.document import Records
from mpcheck.records.read import Results
from mpcheck.report import bench, findings, markdown, terminal
from mpcheck.report import compare as compared
from mpcheck.report.page import Judgement, summary_markdown
from mpcheck.report.page.as_html import html_page
from mpcheck.report.page.view import page_of
from mpcheck.report.pictures import pictures, standalone
from mpcheck.sessions.profile import tables as profile
from tests.unit.hostile import COLOURS, TEXTS, check, hostile, poisoned, sessions, texts, unseen
from tests.unit.report.page.hostile_page import ATTRIBUTES, ELEMENTS, Reader

RAW = re.compile(r"(?<!\\)[<>\[\]]|@(?!&#8203;)|\\#\w|\w://|www\.|\bGH-\d|(?<!\\)~|\$|&(?!amp;|#8203;|#36;)")
"""What Markdown or GitHub would act upon, where it is not in a block of code."""
FOREIGN = {
    "html_block", "html_inline", "link_open", "image", "code_inline", "code_block", "blockquote_open", "ordered_list_open", "hr", "s_open", "em_open",
}  # fmt: skip
DRAWING = {
    "svg", "title", "desc", "style", "rect", "g", "path", "text", "tspan", "use", "defs", "clipPath", "pattern", "line", "circle",
}  # fmt: skip


def run_of(results: Results) -> Records:
    return results.documents["precision"]


def findings_of(results: Results, session: str) -> Records:
    return results.documents[session]


def comparison(results: Results, text: str) -> Comparison:
    """Of a base in which other things are red, with the text in every text of its own, too."""
    found = compare(sessions(), sessions())
    kinds = ("new-failure", "fixed", "moved", "improved", "latency", "finding", "gone", "new")
    told = [{"kind": kind, "item": "i", "before": None, "after": None, "detail": "d"} for kind in kinds]
    fields: dict[str, Any] = {"base": "b", "head": "h", "identical": 1, "within": 2, "still": ["s"], "notes": ["n"], "changes": told}
    document = poisoned(ComparisonDocument.model_validate(fields), text)
    real = compare(results, results)
    fields = {name: getattr(document, name) for name in ("base", "head", "identical", "within", "still", "notes")}
    return Comparison(changes=[*(row.change() for row in document.changes), *real.changes, *found.changes], **fields)


def history(text: str) -> list[GateEntry]:
    entry = entry_of(sessions())
    return [poisoned(entry, text), poisoned(entry.model_copy(update={"commit": "abc"}), text)]


def outcome(results: Results, text: str) -> Outcome:
    crashes = [Crash("head", "bench", text), Crash("base", "", text)]
    places = {item.subject: Place(text, text, 3) for item in results.failures[::2]}
    return Outcome(text, text, results, None, comparison(results, text), crashes, [text], True, places)


TERMINAL: dict[str, Callable[[Results, str, bool], str]] = {
    "precision": lambda r, text, color: terminal.render(run_of(r), color),
    "symmetry": lambda r, text, color: findings.render(findings_of(r, "symmetry"), color),
    "audit": lambda r, text, color: findings.render(findings_of(r, "audit"), color),
    "bench": lambda r, text, color: bench.render(findings_of(r, "bench"), [text], color),
    "profile": lambda r, text, color: profile.render(findings_of(r, "profile"), color),
    "profile as findings": lambda r, text, color: findings.render(findings_of(r, "profile"), color),
    "compare": lambda r, text, color: compared.render(comparison(r, text), 1000),
    "log of a gate": lambda r, text, color: "\n".join(remark.text for remark in remarks(outcome(r, text))),
}
MARKDOWN: dict[str, Callable[[Results, str], str]] = {
    "precision": lambda r, text: markdown.render(run_of(r)),
    "symmetry": lambda r, text: findings.markdown(findings_of(r, "symmetry")),
    "audit": lambda r, text: findings.markdown(findings_of(r, "audit")),
    "bench": lambda r, text: bench.markdown(findings_of(r, "bench"), [text]),
    "profile": lambda r, text: profile.markdown(findings_of(r, "profile")),
    "compare": lambda r, text: compared.markdown(comparison(r, text), 1000),
    "summary": lambda r, text: summary_markdown(r, comparison(r, text), history(text), title=text, judgement=Judgement("FAIL", (text,))),
    "gate": lambda r, text: head_lines(outcome(r, text)).replace("<details><summary>What was compared</summary>", "").replace("</details>", ""),
}


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_terminals_and_logs(text: str) -> None:
    results = hostile(text)
    for name, render in TERMINAL.items():
        for color in (False, True):
            made = render(results, text, color)
            check(name, COLOURS.sub("", made) if color else made)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_markdown(text: str) -> None:
    results = hostile(text)
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for name, render in MARKDOWN.items():
        made = render(results, text)
        assert not unseen(made), (name, sorted(map(ascii, unseen(made))))
        tokens = renderer.parse(made)
        found = {t.type for t in tokens} | {child.type for t in tokens for child in t.children or ()}
        assert not found & FOREIGN, (name, found & FOREIGN)
        prose = re.sub(r"^(`{3,})sh\n(.*)\n\1$", "", made, flags=re.MULTILINE)
        prose = re.sub(r"\[[+-][\d.]+, [+-][\d.]+\]|\[95 %\]", "", prose)
        assert not (acted := RAW.search(prose)), (name, prose[max(0, acted.start() - 60) : acted.end() + 20])


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_annotations(text: str) -> None:
    for remark in remarks(outcome(hostile(text), text)):
        made = remark.command
        assert re.match(r"::(error|warning|notice) ", made) and not unseen(made) and "\n" not in made and not re.search(r"##\w*\[", made)
        head = made.partition(" ")[2].partition("::")[0]
        assert {part.partition("=")[0] for part in head.split(",")} <= {"file", "line", "title"}


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_pages_and_pictures(text: str) -> None:
    results = hostile(text)
    drawn = pictures(results, history(text))
    page = page_of(results, comparison(results, text), history(text), text, Judgement("FAIL", (text,)))
    html = html_page(page, results, drawn, text)
    assert not unseen(html), sorted(map(ascii, unseen(html)))
    for picture in drawn:
        alone = standalone(picture)
        assert not unseen(alone), (picture.name, sorted(map(ascii, unseen(alone))))
        svg(alone)
    reader = Reader()
    reader.feed(re.sub(r"<svg.*?</svg>", "", html.removeprefix("<!doctype html>").strip(), flags=re.DOTALL))
    assert reader.elements <= ELEMENTS and reader.attributes <= ATTRIBUTES and not unseen("".join(reader.text))


def svg(text: str) -> None:
    """Only what draws, and nothing that leads elsewhere."""
    from xml.etree import ElementTree

    for element in ElementTree.fromstring(text).iter():
        tag = element.tag.rpartition("}")[2]
        assert tag in DRAWING, tag
        for name, value in element.attrib.items():
            assert not name.rpartition("}")[2].startswith("on") and (name.rpartition("}")[2] != "href" or value.startswith("#")), (name, value)


def test_the_texts_get_everywhere() -> None:
    """What is tested is what is meant: no field that takes any text was left out."""
    found = {one for document in hostile("<<>>").documents.values() for one in texts(document.model_dump())}
    for name in (
        "interactions.0.linear",
        "builtin:water",
        "because",
        "where",
        "Made Up",
        "builtin:hco",
        "no room",
        "rms ratio 4 > 1",
        "exact",
        "differs",
    ):
        assert f"<<>>{name}" in found and name not in found
