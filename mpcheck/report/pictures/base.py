"""What a picture is, for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Section = Literal["ratios", "errors", "speed", "latency", "history", "own"]
"""own: of a session that draws what no other has, dynamics or training."""


@dataclass(frozen=True)
class Picture:
    """One picture of a report.

    Attributes:
        name: of a file without its ending: small letters, digits, dashes; no two pictures of a report share one.
        section: of the report that it belongs to.
        title: a line; caption: what is drawn, how to read it, and what was left out. Both are plain text: escape them.
        alt: the picture's content in words, for those who do not see it.
        svg: an ``<svg>`` element for the body of a page. Its colours are the page's variables, see :mod:`mpcheck.report.pictures.theme`.
    """

    name: str
    section: Section
    title: str
    caption: str
    alt: str
    svg: str
