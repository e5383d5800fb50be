"""The sites of a crystal in CIF: which element each is, and that each is wholly that element's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mpcheck._errors import InputError
from mpcheck.systems.occupancy import REMEDY, is_full, number
from mpcheck.systems.species import DEUTERIUM, UnknownSpeciesError, site

TYPES, LABELS = "_atom_site_type_symbol", "_atom_site_label"
PLACES = (tuple(f"_atom_site_fract_{x}" for x in "xyz"), tuple(f"_atom_site_cartn_{x}" for x in "xyz"))
OCCUPANCY, HYDROGENS, FLAG = "_atom_site_occupancy", "_atom_site_attached_hydrogens", "_atom_site_calc_flag"
GROUP, ASSEMBLY, MODULATION = "_atom_site_disorder_group", "_atom_site_disorder_assembly", "_cell_modulation_dimension"
COLUMNS = (TYPES, LABELS, *PLACES[0], *PLACES[1], OCCUPANCY, HYDROGENS, FLAG, GROUP, ASSEMBLY)


@dataclass(frozen=True)
class Block:
    """One structure of a file: its tags, each column a list of the sites'."""

    tags: dict[str, Any]
    where: str

    def column(self, name: str) -> list[Any] | None:
        """A column of the sites."""
        value = self.tags.get(name)
        return value if isinstance(value, list) or value is None else [value]

    def name(self, row: int) -> str:
        """How the file calls a site."""
        labels = self.column(LABELS)
        return f"site {labels[row] if labels else row + 1}"


def symbols_of(block: Block) -> tuple[list[str], list[str]]:
    """Elements of the sites, and what is to be said of them.

    Raises:
        InputError: a site that names none.
    """
    name = TYPES if TYPES in block.tags else LABELS
    labels = block.column(name)
    if labels is None:
        raise InputError(f"{block.where}: neither {TYPES} nor {LABELS} tells the elements; add one")
    found = []
    for row, label in enumerate(labels):
        try:
            found.append(site(str(label).strip()))
        except UnknownSpeciesError as error:
            advice = "" if name == TYPES else f", or add {TYPES}"
            raise InputError(f"{block.where}: {name} of {block.name(row)}: {error}{advice}") from None
    heavy = [row for row, symbol in enumerate(found) if symbol == DEUTERIUM]
    said = f"{block.where}: {name}: {len(heavy)} sites, first {block.name(heavy[0])}, are deuterium, judged as hydrogen" if heavy else ""
    return found, [said] if said else []


def refuse_disorder(block: Block, sites: int) -> None:
    """Every site has a place, once, and is wholly there.

    Raises:
        InputError: a place or an occupancy that is no number, or an occupancy that is not 1; alternatives; hydrogens without a place; a
            dummy; a modulated crystal. Names the site and the field.
    """
    for name in COLUMNS:
        if (column := block.column(name)) is not None and len(column) != sites:
            raise InputError(f"{block.where}: {name} has {len(column)} rows for {sites} sites; write them in one loop_")
    for name in (*PLACES[0], *PLACES[1]):
        for row, value in enumerate(block.column(name) or ()):
            if not isinstance(value, (int, float)):
                raise InputError(f"{block.where}: {name} of {block.name(row)} is {str(value)[:20]!r}; give a number, or take the site out")
    for row, value in enumerate(block.column(OCCUPANCY) or ()):
        if not is_full(value):
            raise InputError(f"{block.where}: {OCCUPANCY} of {block.name(row)} is {str(value)[:20]}, not 1; {REMEDY}")
    _refuse_what_has_no_place(block)
    _refuse_alternatives(block)
    if (dimensions := number(block.tags.get(MODULATION, 0))) is None or dimensions > 0:
        raise InputError(f"{block.where}: {MODULATION}: the crystal is modulated; make a periodic approximant of it")


def _refuse_what_has_no_place(block: Block) -> None:
    for row, value in enumerate(block.column(HYDROGENS) or ()):
        if value not in (".", "?") and number(value) != 0.0:
            told = f"{HYDROGENS} of {block.name(row)} is {str(value)[:20]}"
            raise InputError(f"{block.where}: {told}: hydrogens without positions; add them as sites, and write 0 there")
    for row, value in enumerate(block.column(FLAG) or ()):
        if value == "dum":
            raise InputError(f"{block.where}: {FLAG} of {block.name(row)} is dum, a dummy whose place means nothing; take the site out")


def _refuse_alternatives(block: Block) -> None:
    groups = block.column(GROUP) or []
    assemblies = block.column(ASSEMBLY) or ["."] * len(groups)
    seen: dict[str, str] = {}
    for row, (group, assembly) in enumerate(zip(map(str, groups), map(str, assemblies), strict=True)):
        if group in (".", "?", "0", ""):
            continue
        if group.startswith("-") or seen.setdefault(assembly, group) != group:  # a minus: about a special position
            told = f"{GROUP} of {block.name(row)} is {group[:20]}"
            raise InputError(f"{block.where}: {told}, one of several alternatives; keep one group of each assembly, and {REMEDY}")
