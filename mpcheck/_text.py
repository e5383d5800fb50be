"""Text from data made fit to be shown: one function each for terminals and logs, Markdown, HTML, shells, workflow commands; and numbers.

Names, reasons and messages come from records, settings, names of files and exceptions, which somebody else may have written. Whatever
shows them calls one of these; a test keeps it so. What cannot be seen is written out as its escape, never dropped: a reader must see
that it was there. Only the standard library is imported: jobs that hold a token use this and install nothing.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape as _entities

REASON = 600
"""Characters of a sentence that are shown."""
COMMAND = 2000
"""Characters of a command that are shown; a longer one is of no use to anybody."""
GAP = "&#8203;"
"""A space without width: shown as nothing, and it keeps hosts from making mentions and links of names."""
MARKS = 4
"""Marks that one letter may carry; more of them cover the lines around."""
_BREAKS = re.compile(r"[\t\n\r]+")
# shown as nothing or as a blank although Python calls them printable: fillers, joiners, selectors of variants, the empty Braille cell
_HIDDEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\ufffc\U00016fe4\U0001d159\U000e0000-\U000e0fff]"
)
# GitHub obeys `::name::` at the beginning of a line, after blanks, too; `##[name]` anywhere in it, as Azure does `##vso[name]`
_COMMANDS = re.compile(r"\A *:(?=:)|#(?=#\w*\[)")
_WRAPPED = re.compile(r"^((?:\x1b\[[0-9;]*m| )*):(?=:)", re.MULTILINE)
_HALF = re.compile(r"[\ud800-\udfff]")
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#!~])")
_BLOCKS = re.compile(r"([-+=])(?=[-+=\s]|$)|\d{1,9}(?=[.)](?:\s|$))")  # a list, a rule or a heading, where a line begins with it
# `NAME@2`, the second call of a block, is neither a mention nor an address
_LINKS = re.compile(
    r"(?<=@)(?!(?<=\w@)\d{1,6}(?![\w.-]))|(?<=\\#)(?=\w)|(?<=:)(?=//)|(?<=:)(?=[\w+\\-]+:)|(?<=www)(?=\.)|(?<=gh-)(?=\d)|(?<=mailto:)|(?<=xmpp:)",
    re.IGNORECASE,
)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def half(text: str) -> str:
    """The first half of a surrogate pair in a text, as its escape: no file can hold it. Empty where there is none."""
    match = _HALF.search(text)
    return _escape(match[0]) if match is not None else ""


def whole(text: object) -> str:
    """Text in one line, with every control, formatting, separating and invisible character, and half a surrogate pair, as its escape.

    Line breaks and tabs become spaces. It is all there, however long.
    """
    plain = str(text)
    if plain.isascii() and plain.isprintable():
        return plain
    shown, marks = [], 0
    for character in _BREAKS.sub(" ", plain):
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        seen = character.isprintable() and not _HIDDEN.match(character) and marks <= MARKS
        shown.append(character if seen else _escape(character))
    return "".join(shown)


def visible(text: object, limit: int = REASON) -> str:
    """As :func:`whole`; what is longer than ``limit`` characters is cut, and its length told."""
    full = str(text)
    shown = whole(full[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[:limit]}… ({len(full):,} characters)"


def one_line(text: object) -> str:
    """As :func:`whole`, with runs of blanks as one and none about it."""
    return " ".join(whole(text).split())


def shortened(text: object, most: int) -> str:
    """Text in one line of at most so many characters; an ellipsis is the last of them where there were more."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def listed(names: Sequence[str], most: int) -> str:
    """``a, b, c …``: the first ones of a list, and whether there are more."""
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")


def number(value: object, digits: int = 3, none: str = "–") -> str:
    """So many significant digits; ``none`` where it is no number."""
    return f"{value:.{digits}g}" if isinstance(value, (int, float)) else none


def counted(count: int, noun: str, several: str = "") -> str:
    """``1 block``, ``2,960 cells``, ``2 entries``; ``several`` is the plural where it is another."""
    plural = several or (noun if noun.endswith("s") else f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s")
    return f"{count:,} {noun if count == 1 else plural}"


def near(name: str, names: Iterable[str]) -> str:
    """`` (did you mean NAME?)`` of the name that is most like an unknown one; nothing where none is like it."""
    known = {one.lower(): one for one in names}
    found = difflib.get_close_matches(name.lower(), known, n=1)
    return f" (did you mean {known[found[0]]}?)" if found else ""


def duration(seconds: float) -> str:
    """``40 s``, ``3 min``, ``2.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def terminal(text: object, limit: int | None = None) -> str:
    """A line for a terminal, or for the log of a job: nothing in it is obeyed by the one or taken for a workflow command by the other.

    Args:
        limit: characters that are shown; None for all.
    """
    return _COMMANDS.sub(lambda match: f"{match[0]} ", whole(text) if limit is None else visible(text, limit))


def log(text: object) -> str:
    """As :func:`terminal`, for the log of a job whose lines others may cut or join: no ``::`` is left anywhere."""
    return re.sub(r":(?=:)", ": ", terminal(text))


def lines(text: str) -> str:
    """A text of ours in several lines, in which a text from data may have been forgotten: each as :func:`terminal` makes it."""
    return "\n".join(map(terminal, text.split("\n")))


def laid_out(text: str) -> str:
    """Lines that a library has laid out: where it has broken one, what follows may have become the beginning of a command."""
    return _WRAPPED.sub(r"\1: ", text)


def seen_lines(text: str) -> str:
    """A document of ours in several lines: each as :func:`whole` makes it, so that nothing unseen gets into a file."""
    return "\n".join(map(whole, text.split("\n")))


def say(text: object = "", error: bool = False) -> None:
    """Print one line at once, made by :func:`terminal`; by :func:`log` where a runner reads it.

    Args:
        error: to standard error.
    """
    put(log(text) if os.environ.get("GITHUB_ACTIONS") == "true" else terminal(text), error)


def say_lines(text: str, error: bool = False) -> None:
    """Print a text of ours in several lines, made by :func:`lines`."""
    put(lines(text), error)


def put(text: str, error: bool = False, end: str = "\n") -> None:
    """Print what is fit already: a line of :func:`command`, a table. What the stream cannot encode is written as its escape."""
    stream = sys.stderr if error else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True, end=end)


def markdown(text: object, limit: int = REASON) -> str:
    """Text inside a line or a table of Markdown: no markup, no entity, no mention, no reference, no link, no formula."""
    plain = _MARKUP.sub(r"\\\1", " ".join(visible(text, limit).split()))
    if (first := _BLOCKS.match(plain)) is not None:
        plain = f"\\{plain}" if first[1] else f"{first[0]}\\{plain[first.end() :]}"
    return _LINKS.sub(GAP, plain.replace("&", "&amp;").replace("$", "&#36;"))


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> list[str]:
    """A table's lines, and an empty one. A library would pad the cells of thousands of rows, and escape none of them: no gain.

    Args:
        head, rows: Markdown already, see :func:`markdown`. align: ``l`` or ``r`` a column; those not told stand left.
    """
    rules = ["---:" if side == "r" else "---" for side in align.ljust(len(head), "l")]
    return [f"| {' | '.join(head)} |", f"|{'|'.join(rules)}|", *(f"| {' | '.join(cells)} |" for cells in rows), ""]


def fence(text: str, language: str = "sh") -> str:
    """A block of code in Markdown, with a fence longer than any in the text."""
    code = seen_lines(text)
    ticks = max((len(run) for run in re.findall("`+", code)), default=0)
    mark = "`" * max(3, ticks + 1)
    return f"{mark}{language}\n{code}\n{mark}"


def html(text: object, limit: int = REASON) -> str:
    """Text inside an element or a quoted attribute of HTML or SVG."""
    return _entities(visible(text, limit), quote=True)


def shell(words: Iterable[str]) -> str:
    """A command for bash on one line that means exactly these words; a comment in its place where it is very long.

    Words with characters that cannot be seen, or that a log would obey, are quoted as ``$'…'``, the others as usual.
    """
    command = " ".join(shlex.quote(word) if terminal(word) == word else _ansi(word) for word in words)
    return command if len(command) <= COMMAND else f"# a command of {len(command):,} characters: make it from the records"


def _ansi(word: str) -> str:
    """A word in bash's ``$'…'``: of UTF-8, with bytes that are none as they were."""
    parts = []
    for place, character in enumerate(word):
        code, after = ord(character), word[place + 1 : place + 2]
        if character in "\\'":
            parts.append("\\" + character)
        elif character.isascii() and character.isprintable() and not (character in ":#" and after in (":", "#")):
            parts.append(character)
        elif code < 0x80 or 0xDC80 <= code <= 0xDCFF:  # the latter: of a file's name that is no UTF-8
            parts.append(f"\\x{code & 0xFF:02x}")
        else:
            parts.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return "$'" + "".join(parts) + "'"


def command(kind: str, message: object, **properties: object) -> str:
    """A workflow command, as GitHub reads it from standard output: it ends where the line does, and nothing in it begins another.

    Args:
        kind: ``error``, ``warning`` or ``notice``. message: may have several lines.
    """
    given = ",".join(f"{name}={_data(value).replace(':', '%3A').replace(',', '%2C')}" for name, value in properties.items())
    return f"::{kind} {given}::{_data(message)}"


def _data(text: object) -> str:
    plain = seen_lines(str(text).replace("\r\n", "\n"))
    return re.sub(r"#(?=#\w*\[)", "# ", plain).replace("%", "%25").replace("\n", "%0A")
