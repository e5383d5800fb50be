"""Records with a text of somebody unknown everywhere, and what a page may be made of."""

from __future__ import annotations

from html.parser import HTMLParser

from mpcheck.history.compare import Change, Comparison
from mpcheck.records.items import items_of
from mpcheck.records.read import Results
from tests.unit import report_samples as samples

ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "footer", "h1", "h2", "h3", "p", "a", "div",
    "span", "bdi", "code", "strong", "details", "summary", "dl", "dt", "dd", "ul", "li", "table", "caption", "thead", "tbody", "tr",
    "th", "td", "figure", "figcaption",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "aria-hidden", "aria-label", "tabindex", "open", "scope", "data-label",
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
