"""What a file calls its atoms, understood as an element or refused: nothing is guessed."""

from __future__ import annotations

import re

from ase.data import chemical_symbols

DEUTERIUM = "D"
HYDROGEN = "H"
ELEMENTS = frozenset(chemical_symbols[1:])
_CHARGED = re.compile(r"([A-Za-z]{1,2})(?:[0-9]*[+-]|[+-][0-9]+)?")
_NUMBERED = re.compile(r"([A-Za-z]{1,2})(?:[0-9]+[A-Za-z]?|[0-9]*(?:\([0-9A-Za-z]+\)|_\w+)|[0-9]*)['\"*]*")
_WATER = re.compile(r"[HD]2O.*", re.IGNORECASE)


class UnknownSpeciesError(ValueError):
    """A name of no element; the message says why, and what to write instead."""


def element(text: str) -> str:
    """Chemical symbol of a species in a column of them: ``O``, ``o``, ``cl``; ``D`` stays deuterium's.

    Raises:
        UnknownSpeciesError: anything else, and what may be one or another: ``CO`` is cobalt, or carbon and oxygen.
    """
    return _symbol(text, text)


def site(text: str) -> str:
    """The same of a CIF's type symbol or label, which may have a charge or a number: ``Fe2+``, ``O2-``, ``C12A``.

    Raises:
        UnknownSpeciesError: anything else; letters that go on after the element's, as in ``OW1``, do not tell where its symbol ends.
    """
    found = None if _WATER.fullmatch(text) else _CHARGED.fullmatch(text) or _NUMBERED.fullmatch(text)
    if found is None:
        raise UnknownSpeciesError(_advice(text))
    return _symbol(found[1], text)


def _symbol(letters: str, text: str) -> str:
    if letters in ELEMENTS or letters == DEUTERIUM:
        return letters
    proper = letters.capitalize()
    if proper in ELEMENTS and (len(letters) == 1 or letters.islower() or len(_readings(letters)) == 1):
        return proper
    raise UnknownSpeciesError(_advice(text))


def _readings(text: str) -> list[str]:
    """Elements that a name may begin with: ``C`` and ``Ca`` of ``CA``."""
    letters = "".join(re.findall(r"^[A-Za-z]{1,2}", text))
    if letters in ELEMENTS:  # Fe is written as iron is
        return [letters]
    return [s for s in dict.fromkeys((letters[:1].upper(), letters.capitalize())) if s in ELEMENTS]


def _advice(text: str) -> str:
    shown, may = repr(text[:40]), _readings(text)
    if text.isascii() and text.isdigit() and text != "0":
        symbol = chemical_symbols[int(text)] if len(text) < 4 and int(text) < len(chemical_symbols) else "the element's"
        return f"{shown} is a number, not a symbol; write {symbol}"
    if re.fullmatch(r"T[0-9]*", text):
        return f"{shown} may be tritium or a tetrahedral site; write H for the one, Si or Al for the other"
    if may and not text.lower().startswith(("vac", "va", "dum")):
        return f"{shown} is no element's symbol; write {' or '.join(may)}, if that is meant"
    return f"{shown} is no element's symbol (a vacancy or a dummy?); write an element's, or take the site out"
