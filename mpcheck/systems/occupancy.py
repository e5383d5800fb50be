"""Sites that are not wholly one element's: disordered crystals, which no potential computes as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms

REMEDY = "make an ordered structure of it: one element, wholly there, on every site"
_NAME = re.compile(r"(site_|atom_site_)?occ(upanc(y|ies)|)", re.IGNORECASE)


def number(value: Any) -> float | None:
    """A number as CIF writes it, ``0.97(2)`` too; None where it is none."""
    try:
        return float(re.sub(r"\([0-9]*\)$", "", value.strip()) if isinstance(value, str) else value)
    except (TypeError, ValueError):
        return None


def is_full(value: Any) -> bool:
    """Whether an occupancy is 1; ``.`` is CIF's default, which is 1."""
    return value == "." or number(value) == 1.0


def partial(frame: Atoms) -> str | None:
    """Where a frame that some reader made tells of sites that are not wholly one element's: field and value; None where it does not.

    ASE writes ``info["occupancy"]`` for whatever it read from a CIF, by site ``{element: occupancy}``; others have a column.
    """
    for name, value in frame.info.items():
        if isinstance(name, str) and _NAME.fullmatch(name) and (found := _in_info(value)) is not None:
            return f"{name}={found} in the line before the atoms"
    for name, column in frame.arrays.items():
        if _NAME.fullmatch(name):
            numbers = np.asarray([v if (v := number(x)) is not None else np.nan for x in np.ravel(column)], dtype=np.float64)
            if (wrong := np.flatnonzero(~(numbers == 1.0))).size:
                return f"{name} {np.ravel(column)[wrong[0]]} of atom {int(wrong[0]) * len(frame) // max(1, numbers.size)}"
    return None


def _in_info(value: Any) -> str | None:
    """The first occupancy that is not 1; None where all are, and where there is nothing."""
    if isinstance(value, str) and not is_full(value):
        try:
            value = json.loads(value)
        except ValueError:
            return repr(value[:40])
    if isinstance(value, Mapping):
        for site, shares in value.items():
            if isinstance(shares, Mapping):
                if len(shares) != 1 or not all(map(is_full, shares.values())):
                    return f"{str(dict(shares))[:60]} of site {site}"
            elif not is_full(shares):
                return f"{str(shares)[:40]} of site {site}"
        return None
    numbers = np.ravel(np.asarray(value, dtype=object))
    wrong = [x for x in numbers if not is_full(x)]
    return str(wrong[0])[:40] if wrong else None
