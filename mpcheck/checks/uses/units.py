"""Units of upstream's calculator: factors of energy and of length, each result by the power of them that it has.

Factors are powers of two, so that nothing rounds. What upstream is known to convert otherwise is told apart from whatever else may be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from ase import Atoms

from mpcheck.checks.physics.structure import Values
from mpcheck.checks.uses.asking import Difference, structures
from mpcheck.checks.uses.door import Door
from mpcheck.checks.uses.results import given

ENERGY, LENGTH = 2.0, 0.5
POWERS = {"energy": (1, 0), "free_energy": (1, 0), "energies": (1, 0), "node_energy": (1, 0), "forces": (1, -1), "stress": (1, -3),
          "stresses": (1, -3), "virials": (1, 0)}  # fmt: skip
"""Of the units of energy and of length, by result."""
OWN_E0 = "less E0 in the model's own unit of energy"
OWN_POSITIONS = "of positions that go to the model in Å and not in its own unit of length; the result itself is converted"
BY_VOLUME = "over the cube of the unit of length, which an energy does not have"


def scaled(values: Mapping[str, torch.Tensor], energy: float, length: float = 1.0) -> Values:
    """Results in other units."""
    return {n: v * energy ** POWERS[n][0] * length ** POWERS[n][1] for n, v in values.items() if n in POWERS}


def explained(rows: list[Difference], theirs: Callable[[], list[Difference]], said: str) -> list[Difference]:
    """Differences whose names say what upstream does instead, where that is all that is wrong; where more is, that alone.

    Args:
        theirs: differences from what upstream is known to give.
    """
    if not (off := _off(rows)):
        return rows
    known = theirs()
    if not _off(known):
        return [Difference(f"{r.what} ({said})", r.ratio, r.limit, r.size) for r in rows]
    return known if _off(known) < off else rows


def _off(rows: Sequence[Difference]) -> int:
    return sum(not r.share <= 1.0 for r in rows)


def _energies(door: Door) -> tuple[Values, Values, Atoms]:
    """What the calculator tells with a factor of energies, in the model's units; what it must tell; and the structure."""
    frame = structures(door.case)[0]
    by_atom = "stresses" in (wanted := door.truth(frame))
    return scaled(_results(door, frame, energy_units_to_eV=ENERGY, compute_atomic_stresses=by_atom), 1 / ENERGY), wanted, frame


def _results(door: Door, frame: Atoms, **options: float | bool) -> Values:
    calc = door.open(**options)
    calc.calculate(frame.copy())
    return given(calc.results)


def _only(values: Values, names: Sequence[str]) -> Values:
    return {n: v for n, v in values.items() if n in names}


def energy_units(door: Door) -> Iterator[Difference]:
    """The factor of energies, of all results but node energies."""
    found, wanted, frame = _energies(door)
    if wanted := _only(wanted, [n for n in POWERS if n != "node_energy"]):
        yield from door.compared(found, wanted, frame, "crystal", tuple(wanted))


def node_energy_units(door: Door) -> Iterator[Difference]:
    """The factor of energies, of node energies, whose E0 was taken off them."""
    found, wanted, frame = _energies(door)
    if "node_energy" in wanted:
        own = _only(wanted, ["node_energy"])
        e0 = wanted["energies"] - wanted["node_energy"]
        rows = door.compared(_only(found, ["node_energy"]), own, frame, "crystal", tuple(own))
        theirs = {"node_energy": wanted["energies"] - e0 / ENERGY}
        yield from explained(rows, lambda: door.compared(_only(found, ["node_energy"]), theirs, frame, "crystal", tuple(own)), OWN_E0)


def length_units(door: Door) -> Iterator[Difference]:
    """Both factors, of a structure that in the model's unit of length is the crystal of other findings."""
    yield from _by_length(door, ("energy", "free_energy", "energies", "forces", "stress", "stresses"))


def virial_units(door: Door) -> Iterator[Difference]:
    """The same of virials by atom, which are energies."""
    yield from _by_length(door, ("virials",), BY_VOLUME)


def _by_length(door: Door, names: Sequence[str], more: str = "") -> Iterator[Difference]:
    inside = structures(door.case)[0]
    outside = inside.copy()
    outside.set_cell(np.array(inside.cell) * LENGTH, scale_atoms=True)
    wanted = _only(door.truth(inside), names)
    if not wanted:
        return
    by_atom = "stresses" in wanted or "virials" in wanted
    found = _results(door, outside, energy_units_to_eV=ENERGY, length_units_to_A=LENGTH, compute_atomic_stresses=by_atom)
    back = _only(scaled(found, 1 / ENERGY, 1 / LENGTH), names)
    rows = door.compared(back, wanted, inside, "crystal", tuple(wanted))
    # in the truth's own size, of which the noise is known
    known = {n: v * LENGTH**3 for n, v in back.items()} if more else back
    theirs = _only(door.truth(outside), names)
    said = f"{more}, and {OWN_POSITIONS}" if more else OWN_POSITIONS
    yield from explained(rows, lambda: door.compared(known, theirs, outside, "crystal in Å", tuple(wanted)), said)
