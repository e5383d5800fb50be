"""Whether the sites of a crystal in CIF make what the file says it is made of: hydrogens without a place and lost symmetry show here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from ase import Atoms

from mpcheck.systems.cif_sites import Block
from mpcheck.systems.occupancy import number
from mpcheck.systems.species import DEUTERIUM, ELEMENTS, HYDROGEN

SUM, UNITS = "_chemical_formula_sum", "_cell_formula_units_Z"
_PART = re.compile(r"([A-Z][a-z]?)([0-9]+(?:\.[0-9]+)?)?")
NEAR = 1e-3  # of a share: formulae have three decimals or fewer


def formula_note(block: Block, made: Atoms) -> str:
    """What is to be said where the formula is another than the cell's; empty where they agree, and where the file gives none that is read."""
    formula, units = _read(str(block.tags.get(SUM, ""))), number(block.tags.get(UNITS.lower()))
    if not formula:
        return ""
    told = {str(s): float(n) for s, n in Counter(made.symbols).items()}
    same = _alike({s: n * units for s, n in formula.items()}, told) if units else _alike(_shares(formula), _shares(told))
    if same:
        return ""
    times = f" times {units:g} ({UNITS})" if units else ""
    return (
        f"{block.where}: {SUM} is {_shown(formula)}{times}, and the sites make {_shown(told)}: what has no site in the file is not in what is judged"
    )


def _read(text: str) -> dict[str, float]:
    """Atoms of each element, deuterium as hydrogen; empty where a part is not understood."""
    found: Counter[str] = Counter()
    for word in text.strip("'\" ").split():
        part = _PART.fullmatch(word)
        if part is None or part[1] not in (*ELEMENTS, DEUTERIUM):
            return {}
        found[HYDROGEN if part[1] == DEUTERIUM else part[1]] += float(part[2] or 1)  # type: ignore[assignment]  # shares may be broken
    return dict(found)


def _shares(formula: Mapping[str, float]) -> dict[str, float]:
    whole = sum(formula.values())
    return {s: n / whole for s, n in formula.items()} if whole else {}


def _alike(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return all(abs(one.get(s, 0.0) - other.get(s, 0.0)) <= NEAR * max(1.0, other.get(s, 0.0)) for s in {*one, *other})


def _shown(formula: Mapping[str, float]) -> str:
    return " ".join(f"{s}{n:g}" if n != 1 else s for s, n in formula.items())[:80]
