"""Names and numbers as a picture can show them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Container

from mpcheck._text import number, one_line

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SLUG = 48
WIDTHS = {0.33: "iljI.,:;'|!()[]/\\ ", 0.42: 'ftr-_"', 0.9: "mwMW@%&", 0.7: "ABCDEGHKNOPQRUVXYZ#<>=+$", 1.0: "…—"}
"""Widths of letters over the size of their font, DejaVu Sans rounded up; of the others 0.6. Most pages' fonts are narrower."""
_WIDTH = {letter: width for width, letters in WIDTHS.items() for letter in letters}


def percent(value: float) -> str:
    """``+3.2 %``; at most nine characters."""
    return f"{value:+.1f} %" if abs(value) < 999.5 else f"{value:+.0e} %"


def _wide(letter: str) -> float:
    if letter in _WIDTH:
        return _WIDTH[letter]
    return 0.0 if unicodedata.combining(letter) else 1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.6


def extent(text: str, size: float) -> float:
    """About how wide a text is, in the unit of its font's size."""
    return size * sum(map(_wide, text))


def shorten(text: object, room: float, size: float) -> str:
    """Text from data that fits into a width: its middle becomes an ellipsis, as names differ at both ends."""
    name = one_line(text)
    if extent(name, size) <= room:
        return name
    head, tail, left = 0, len(name), room - size
    while head < tail:
        front = head <= len(name) - tail
        left -= size * _wide(name[head if front else tail - 1])
        if left < 0:
            break
        head, tail = (head + 1, tail) if front else (head, tail - 1)
    return f"{name[:head]}…{name[tail:]}"


def short_format(name: str) -> str:
    """``f64``, ``bf16``: a format under an axis."""
    return shorten(one_line(name).replace("float", "f"), 40, 8)


def slug(*parts: str, taken: Container[str] = ()) -> str:
    """A name for files and ids, from text that may hold anything; a number is added where it is taken already."""
    made = "-".join(filter(None, (re.sub(r"[^a-z0-9]+", "-", p.lower()).strip("-")[:SLUG] for p in parts))) or "picture"
    number, name = 1, made
    while name in taken:
        number += 1
        name = f"{made}-{number}"
    return name


def power(exponent: int, base: int = 10) -> str:
    """``10⁻³``."""
    return f"{base}{str(exponent).translate(_SUPERSCRIPTS)}"


def share_words(share: float) -> str:
    """``0.83``, ``12``, ``3e+04``, ``∞``: at most five characters."""
    if math.isinf(share):
        return "∞"
    return f"{share:.2f}" if share < 9.995 else f"{share:.0f}" if share < 999.5 else f"{share:.0e}"


def milliseconds(value: float) -> str:
    """``0.042 ms``, ``17.1 ms``."""
    return f"{number(value)} ms"
