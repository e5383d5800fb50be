"""Text from data made fit to be shown: nothing invisible, nothing endless, nothing that a renderer acts on."""

from __future__ import annotations

import re
import shlex

from mpcheck.report.markdown import escape

NAME = 120
"""Characters of a name that are shown."""
REASON = 600
"""Characters of a sentence that are shown."""
COMMAND = 2000
"""Characters of a command that are shown; a longer one is of no use to anybody."""
GAP = "&#8203;"
"""A space without width: shown as nothing, and it keeps hosts from making mentions and links of names."""
_BREAKS = re.compile(r"[\t\n\v\f\r]+")
_LINKS = re.compile(r"(?<=@)|(?<=\\#)(?=\w)|(?<=:)(?=//)|(?<=:)(?=[\w+\\-]+:)|(?<=\bwww)(?=\.)|(?<=\b[Gg][Hh]-)(?=\d)|(?<=\bmailto:)|(?<=\bxmpp:)")


def _seen(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def visible(text: object, limit: int = REASON) -> str:
    """Text with every control, formatting and separating character, and half a surrogate pair, written as its escape.

    Line breaks and tabs become spaces. What is longer than ``limit`` characters is cut, and its length told.
    """
    whole = str(text)
    plain = _BREAKS.sub(" ", whole[: limit + 1])
    shown = plain if plain.isprintable() else "".join(map(_seen, plain))
    return shown if len(shown) <= limit else f"{shown[:limit]}… ({len(whole):,} characters)"


def markdown(text: object, limit: int = REASON) -> str:
    """Text inside a line or a table of Markdown: no markup, no entity, no mention, no reference, no link, no formula."""
    plain = escape(visible(text, limit).replace("&", "&amp;")).replace("~", r"\~").replace("$", "&#36;")
    return _LINKS.sub(GAP, plain)


def shell(command: str) -> str:
    """A command for bash on one line: words with characters that cannot be seen are quoted as ``$'…'``, the others as they are."""
    if command.isprintable():
        return _bounded(command)
    return _bounded(" ".join(shlex.quote(word) if word.isprintable() else _ansi(word) for word in shlex.split(command)))


def _ansi(word: str) -> str:
    return "$'" + "".join(_seen(c) for c in word.replace("\\", "\\\\").replace("'", "\\'")) + "'"


def _bounded(command: str) -> str:
    return command if len(command) <= COMMAND else f"# a command of {len(command):,} characters: make it from the records"


def fence(command: str) -> str:
    """A block of code in Markdown, with a fence longer than any in the text."""
    ticks = max((len(run) for run in re.findall("`+", command)), default=0)
    mark = "`" * max(3, ticks + 1)
    return f"{mark}sh\n{command}\n{mark}"


def figure(value: float | None) -> str:
    """A ratio for a table: two decimals, powers of ten where they would hide it, a dash where there is none."""
    if value is None:
        return "–"
    if value == float("inf"):
        return "∞"
    return f"{value:.2f}" if value == 0 or 0.005 <= abs(value) < 99.5 else f"{value:.1e}"


def count(number: int, one: str, several: str = "") -> str:
    """``1 cell``, ``2,960 cells``."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"
