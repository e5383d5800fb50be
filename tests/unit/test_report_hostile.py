"""Texts of unknown people are shown, never acted upon: neither by a browser nor by a renderer of Markdown."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from mpcheck._text import fence, markdown, visible
from mpcheck.history.compare import Change, Comparison
from mpcheck.records.items import items_of
from mpcheck.records.read import Results
from mpcheck.report.page import summary_markdown
from mpcheck.report.page.as_html import POLICY, environment, html_page
from mpcheck.report.page.text import NAME
from mpcheck.report.page.view import page_of
from tests.unit import report_samples as samples

ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "footer", "h1", "h2", "h3", "p", "a", "div",
    "span", "bdi", "code", "strong", "details", "summary", "dl", "dt", "dd", "ul", "li", "table", "caption", "thead", "tbody", "tr",
    "th", "td", "figure", "figcaption",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "aria-hidden", "aria-label", "tabindex", "open", "scope", "data-label",
}  # fmt: skip
CLASSES = {
    "banner", "fail", "pass", "warn", "quiet", "kicker", "word", "repeat", "command", "cards", "num", "v", "count", "name", "tag",
    "one", "block", "red", "printed", "scroll",
    "pictures", "small", "facts", "columns", "told", "figure-title",
}  # fmt: skip
VOID = {"meta"}


class Reader(HTMLParser):
    """Elements, attributes and texts of a page, and whether they are balanced."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.classes: set[str] = set()
        self.links: set[str] = set()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        for name, value in attrs:
            if name == "class":
                self.classes |= set((value or "").split())
            if name == "href":
                self.links.add(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:80]}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def hostile(text: str) -> Results:
    """The text wherever records hold one."""
    told = samples.quantity(5.0, name=text, worst=samples.Worst(place=text, value=1.0, expected=None, allowed=None), failures=[text])
    names = {"subject": text, "backend": text, "format": text, "system": text, "variant": text, "role": text}
    cells = [samples.cell(**names, verdict=v, reason=text, note=text, quantities=[told]) for v in ("pass", "fail", "unsupported")]
    names = {"check": text, "subject": text, "backend": text, "format": text, "system": text, "variant": text, "reason": text, "worst": text}
    rows = [
        samples.finding(**names, verdict=v, figures={text: text}) for v in ("fail", "known-fault", "inconclusive", "degraded", "unsupported", "pass")
    ]
    slow = samples.latency(text, 30.0, backend=text, format=text, variant=text)
    slow = slow.model_copy(update={"detail": slow.latency.model_copy(update={"decision": text})})
    head = samples.head()
    told_of = {"device_name": text, "commit": text, "date": text, "packages": {text: text}, "flags": {text: text}}
    changes = {
        "environment": head["environment"] | told_of, "model": head["model"] | {"name": text, "source": {text: text}},
        "options": {"device": text, "seed": text, text: text},
        "systems": [{"name": text, "atoms": 1, "digest": text}], "mpcheck": text,
    }  # fmt: skip
    golden = [{"system": text, "name": text, "rms": 1.0, "max": 1.0, "limit": 0.5, "failure": text}]
    return samples.results(
        samples.run(cells, golden=golden, **changes), samples.findings("symmetry", rows, **changes), samples.findings("bench", [slow], **changes)
    )


def comparison(results: Results, text: str) -> Comparison:
    run = results.documents["precision"]
    items = list(items_of(run))
    return Comparison(text, text, [Change("new-failure", text, items[0], items[1], text), Change("gone", text, None, None, text)], 3, 2, [], [text])


@pytest.mark.parametrize("text", samples.HOSTILE)
def test_a_page_holds_no_element_and_no_attribute_that_data_made(text: str) -> None:
    results = hostile(text)
    html = html_page(page_of(results, comparison(results, text), title=text), results, [])
    html.encode("utf-8")
    page = Reader()
    page.feed(html.removeprefix("<!doctype html>").strip())
    page.close()
    assert page.open == []
    assert page.elements <= ELEMENTS
    assert page.attributes <= ATTRIBUTES
    assert page.classes <= CLASSES
    assert all(re.fullmatch(r"#[a-z]+", link) for link in page.links)
    body = "".join(page.text)
    assert visible(text, NAME)[:60].rstrip() in body  # it is shown
    unseen = {c for c in body if not c.isprintable() and c != "\n"}
    assert not unseen


def test_a_page_forbids_what_it_does_not_need() -> None:
    html = html_page(page_of(samples.red()), samples.red(), [])
    assert "script-src" not in POLICY
    assert POLICY.startswith("default-src 'none'")
    assert html.index("Content-Security-Policy") < html.index("<style>")
    for pattern in (r"<script", r"\bsrc\s*=", r"@import", r"url\(", r"https?://"):
        assert not re.search(pattern, html), pattern


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


def test_a_fence_is_longer_than_any_in_the_command() -> None:
    made = fence("mpcheck run '````'").splitlines()
    assert made[0] == "`````sh"
    assert made[-1] == "`````"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@user", "@&#8203;user"), ("#12", r"\#&#8203;12"), ("https://a.b", "https:&#8203;//a.b"), ("www.a.b", "www&#8203;.a.b"),
        ("a@b.c", "a@&#8203;b.c"), ("&lt;", "&amp;lt;"), (":warning:", ":&#8203;warning:"), ("GH-7", "GH-&#8203;7"), ("plain 0.7", "plain 0.7"),
        ("a.linear@2", "a.linear@2"), ("a@2.b", "a@&#8203;2.b"), (" @2", "@&#8203;2"),
    ],
)  # fmt: skip
def test_nothing_becomes_a_mention_a_link_or_an_entity(text: str, shown: str) -> None:
    assert markdown(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", r"a\x00b"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\u202eb", r"a\u202eb"),
        ("\ud800", r"\ud800"),
        ("a\nb\tc", "a b c"),
        ("\U000e0041", r"\U000e0041"),
        ("a\u3164b", r"a\u3164b"),
        ("\ufe0f", r"\ufe0f"),
        ("\x85::x", r"\x85::x"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_long_names_are_cut_and_their_length_is_told() -> None:
    assert visible("n" * 10_000, 20) == "n" * 20 + "… (10,000 characters)"


def test_a_template_cannot_forget_to_escape() -> None:
    made = environment().from_string("<p title='{{ text }}'>{{ text }}</p>").render(text="'<b>\x1b\u202e")
    assert made == "<p title='&#39;&lt;b&gt;\\x1b\\u202e'>&#39;&lt;b&gt;\\x1b\\u202e</p>"
