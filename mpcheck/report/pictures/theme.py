"""Colours as variables of the page, so that one picture serves light and dark; and the styles that tell series apart without colour.

matplotlib knows colours, no variables. So each variable has a stand-in, a colour that nothing else uses, and the stand-ins are
replaced by ``var(--name)`` in the finished drawing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

NAMES = ("ink", "paper", "muted", "grid", "fail", "pass", "warn", *(f"series-{i}" for i in range(8)), *(f"heat-{i}" for i in range(7)))
"""Variables that pictures use. The report's ``theme.css`` gives their values; heat 0 to 3 is within a limit, 4 to 6 beyond it."""
STAND_INS = {name: f"#0f{number:02x}a5" for number, name in enumerate(NAMES)}
"""Colours to draw with, by variable."""
_VARIABLES = {colour: f"var(--{name})" for name, colour in STAND_INS.items()}
_ANY = re.compile("|".join(_VARIABLES))

INK, PAPER, MUTED, GRID, FAIL, PASS, WARN = (STAND_INS[n] for n in ("ink", "paper", "muted", "grid", "fail", "pass", "warn"))
HEAT = [STAND_INS[f"heat-{i}"] for i in range(7)]
SERIES = [STAND_INS[f"series-{i}"] for i in range(8)]
MARKERS = ("o", "s", "^", "D", "v", "P", "p", "h")
DASHES: tuple[Any, ...] = (
    "-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (8, 3)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (10, 2, 3, 2)),
)  # fmt: skip

SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: it is found, read aloud, and takes the page's font
    "svg.hashsalt": "mpcheck",
    "text.parse_math": False,  # names may hold dollars
    "text.usetex": False,
    "axes.unicode_minus": True,
    "font.family": "DejaVu Sans",  # widths are measured with it; it is wider than what pages use
    "path.simplify": False,
}
"""What matplotlib is told, whatever its user's own configuration says."""


@dataclass(frozen=True)
class Style:
    """How one series looks: three things differ, so that colour is never needed."""

    colour: str
    marker: str
    dash: Any

    @property
    def point(self) -> dict[str, Any]:
        """How matplotlib draws its points; no line joins them."""
        return {"color": self.colour, "marker": self.marker, "linestyle": "none"}

    @property
    def line(self) -> dict[str, Any]:
        """How matplotlib draws its points and the line through them."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.dash}


def series_style(place: int) -> Style:
    """The style of the series at a place; colours repeat after eight, with another marker and another dash."""
    turn = place // len(SERIES)
    return Style(SERIES[place % len(SERIES)], MARKERS[(place + turn) % len(MARKERS)], DASHES[(place + turn) % len(DASHES)])


def with_variables(style: str) -> str:
    """A style attribute with every stand-in replaced by its variable."""
    return _ANY.sub(lambda match: _VARIABLES[match[0]], style)


def light(name: str) -> str:
    """The colour that a variable has in the light theme: for files that know no variables."""
    values: dict[str, str] = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css().partition("@media")[0]))
    return values[name]


def css() -> str:
    """The report's style sheet of the variables' values for light and dark, which a picture that stands alone takes along."""
    text = (resources.files("mpcheck.report") / "page" / "templates" / "theme.css").read_text(encoding="utf-8")
    return " ".join(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).split())
