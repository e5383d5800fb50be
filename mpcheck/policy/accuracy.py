"""What a user allows a policy to cost: ``1 meV/atom, 10 meV/Å``."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from mpcheck._errors import InputError

EXAMPLE = "'1 meV/atom, 10 meV/Å'"
_PART = re.compile(r"(?P<value>[^\s/]*?)\s*(?P<unit>m?ev)\s*/\s*(?P<per>atom|å|a|ang|angstrom)", re.IGNORECASE)
Kind = Literal["energy", "force"]


@dataclass(frozen=True)
class Budget:
    """Largest error that is tolerated; infinite where the user says nothing of it.

    Attributes:
        energy_meV_per_atom, force_meV_per_A: RMS over structures, and over all components of forces.
    """

    energy_meV_per_atom: float = math.inf
    force_meV_per_A: float = math.inf

    def allows(self, energy: float, force: float) -> bool:
        """Whether errors are within it; NaN is not."""
        return energy <= self.energy_meV_per_atom and force <= self.force_meV_per_A

    def share(self, energy: float, force: float) -> float:
        """The larger share of what is allowed that errors take; above 1 they exceed it, and infinite where they are NaN."""
        shares = [e / most for e, most in ((energy, self.energy_meV_per_atom), (force, self.force_meV_per_A)) if not math.isinf(most)]
        return max((math.inf if math.isnan(s) else s for s in shares), default=0.0)

    def __str__(self) -> str:
        """As :func:`parse_budget` reads it."""
        parts = ((self.energy_meV_per_atom, "meV/atom"), (self.force_meV_per_A, "meV/Å"))
        return ", ".join(f"{value:g} {unit}" for value, unit in parts if not math.isinf(value))


def parse_budget(text: str) -> Budget:
    """A budget of an energy, a force, or both, in meV or eV, per atom and per Å.

    Raises:
        InputError: names the part that cannot be read, and says how it is written.
    """
    found: dict[Kind, float] = {}
    for part in re.split(r",(?!\d)|;|\band\b", text):
        own = unicodedata.normalize("NFC", part).strip()
        match = _PART.fullmatch(own)
        if match is None:
            raise InputError(f"budget {text!r}: {own!r} is no energy per atom nor a force; write for example {EXAMPLE}")
        kind: Kind = "energy" if match["per"].lower() == "atom" else "force"
        if kind in found:
            raise InputError(f"budget {text!r}: two limits of the {kind}; give one of each kind, for example {EXAMPLE}")
        found[kind] = _number(text, own, match["value"]) * (1.0 if match["unit"].lower() == "mev" else 1e3)
    return Budget(found.get("energy", math.inf), found.get("force", math.inf))


def _number(text: str, part: str, value: str) -> float:
    """Raises:
    InputError: it is no positive, finite number.
    """
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(f"budget {text!r}: {part!r} needs a positive number before its unit, with a decimal point; for example {EXAMPLE}")
    return number
