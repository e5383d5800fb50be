"""The HTML page: one file, nothing fetched, no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mpcheck._text import counted, visible
from mpcheck.records.read import Results
from mpcheck.report.figure import figure
from mpcheck.report.page import red
from mpcheck.report.page.detail import detail
from mpcheck.report.page.view import Page
from mpcheck.report.palette import colour, mark

if TYPE_CHECKING:
    from mpcheck.report.pictures import Picture

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Nothing is fetched and nothing runs, whatever came into the page."""
STRIP = "verdicts"
"""The picture that belongs to the table of sessions, not to the ratios."""


def _shown(value: Any) -> Any:
    """Every text that a template prints passes here, and after it the escaping; markup of our own does not."""
    return visible(value, 4000) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def environment() -> Environment:
    """Templates, with escaping always on."""
    made = Environment(
        loader=PackageLoader("mpcheck.report.page", "templates"), autoescape=True, finalize=_shown, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"figure": figure, "told": red.told, "count": counted, "short": visible, "mark": mark, "style": colour}
    made.globals |= {"left_out": red.left_out, "POLICY": POLICY, "STRIP": STRIP}
    return made


def html_page(page: Page, results: Results, pictures: Sequence[Picture], note: str = "") -> str:
    """The whole file.

    Args:
        note: why pictures are missing; empty where they are not.
    """
    folder = files("mpcheck.report.page") / "templates"
    style = "".join((folder / name).read_text(encoding="utf-8") for name in ("theme.css", "style.css"))
    drawings = [replace(p, svg=Markup(p.svg)) for p in pictures]  # the SVG is our own, with every name in it escaped
    return environment().get_template("report.html.j2").render(page=page, pictures=drawings, detail=detail(results), note=note, style=Markup(style))
