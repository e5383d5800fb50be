"""Crystals from CIF: every site is wholly one element's, or the file is refused; symmetry multiplies sites in a time linear in them.

ASE's reader parses the file. What it would do in silence is done here in the open: it takes a mixed site for its most frequent element, a
partly occupied one for a full one, deuterium for hydrogen, drops whatever lies within 0.001 of the cell of another site, and compares every
site with every other.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.io.cif import CIFBlock, parse_cif
from ase.spacegroup.spacegroup import parse_sitesym
from scipy.spatial import cKDTree

from mpcheck._errors import InputError, error_line
from mpcheck._files.io import read_text
from mpcheck.systems.builtin import MOST_ATOMS
from mpcheck.systems.cif_formula import formula_note
from mpcheck.systems.cif_sites import PLACES, TYPES, Block, refuse_disorder, symbols_of
from mpcheck.systems.frames import Frame
from mpcheck.systems.occupancy import REMEDY
from mpcheck.systems.species import DEUTERIUM, HYDROGEN

MOST_BYTES = 1 << 20
MOST_COPIES = 2_000_000  # sites times symmetry operations
SAME = 1e-3  # of the cell: coordinates are written with three digits or more, 0.333 for a third
NEAREST = 0.1  # Å: in a large cell a thousandth of it would hold several atoms
OPERATIONS = ("_space_group_symop_operation_xyz", "_space_group_symop.operation_xyz", "_symmetry_equiv_pos_as_xyz")

Floats = npt.NDArray[np.float64]
T = TypeVar("T")


def read_cif(path: Path) -> list[Callable[[], Frame]]:
    """The structures of a file, each to be made when it is wanted.

    Raises:
        InputError: no CIF, or one without a structure; when one is made, sites that are not wholly one element's or that name none.
    """
    text = read_text(path, "system file", MOST_BYTES, "convert it to extended XYZ with `ase convert`").removeprefix("\ufeff")  # of some editors
    blocks = _attempted(lambda: [dict(block) for block in parse_cif(io.BytesIO(text.encode("utf-8")))], f"system file {path}")
    blocks = [tags for tags in blocks if any(name in tags for names in PLACES for name in names)]
    if not blocks:
        raise InputError(
            f"system file {path}: no structure in it (a data_ block with _atom_site_fract_x, _y and _z); check that it is the right file"
        )

    def maker(tags: dict[str, Any], number: int) -> Callable[[], Frame]:
        where = f"system file {path}" + (f" frame {number}" if len(blocks) > 1 else "")
        return lambda: _frame(Block(tags, where), number)

    return [maker(tags, number) for number, tags in enumerate(blocks)]


def _attempted(call: Callable[[], T], where: str) -> T:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call()
    except InputError:
        raise
    except Exception as error:  # ASE's reader raises whatever it stumbles over
        raise InputError(f"{where} cannot be read: {error_line(error)}") from error


def _frame(block: Block, number: int) -> Frame:
    symbols, notes = symbols_of(block)
    if not symbols:
        raise InputError(f"{block.where}: its loop of sites has no rows (truncated?); fix the file")
    refuse_disorder(block, len(symbols))
    tags = {**block.tags, TYPES: [HYDROGEN if s == DEUTERIUM else s for s in symbols]}
    parsed = CIFBlock(block.where, tags)
    basis: Atoms = _attempted(parsed.get_unsymmetrized_structure, block.where)
    if not basis.cell.rank:
        return Frame(basis, number, tuple(notes))
    operations = _attempted(lambda: _operations(parsed), block.where)
    if len(basis) * len(operations) > MOST_COPIES:
        raise InputError(f"{block.where}: {len(basis)} sites times {len(operations)} symmetry operations, {MOST_COPIES:,} at most; give fewer")
    sites, owners, again = _multiplied(basis, operations, block)
    if again:
        notes.append(f"{block.where}: {len(again)} sites, first {block.name(again[0])}, are symmetry's copies of others and count once")
    if len(sites) > MOST_ATOMS:
        raise InputError(f"{block.where}: {len(sites)} atoms, {MOST_ATOMS} at most; give a smaller cell")
    made = Atoms(basis.numbers[owners], scaled_positions=sites, cell=basis.cell, pbc=True)
    if said := formula_note(block, made):
        notes.append(said)
    return Frame(made, number, tuple(notes))


def _operations(block: CIFBlock) -> list[tuple[Floats, Floats]]:
    """Rotations and translations: those that the file lists, else those of the space group that it names, else the identity."""
    listed = next((block[name] for name in OPERATIONS if block.get(name)), None)
    if listed is None:
        return [(np.asarray(r, dtype=np.float64), np.asarray(t, dtype=np.float64)) for r, t in block.get_spacegroup(True).get_symop()]
    rotations, translations = parse_sitesym([listed] if isinstance(listed, str) else listed)
    return [(np.asarray(r, dtype=np.float64), np.asarray(t, dtype=np.float64)) for r, t in zip(rotations, translations, strict=True)]


def _multiplied(basis: Atoms, operations: Sequence[tuple[Floats, Floats]], block: Block) -> tuple[Floats, npt.NDArray[np.int64], list[int]]:
    """Fractional coordinates of every atom of the cell, the site that each is a copy of, and sites that are copies of others.

    Raises:
        InputError: two sites of different elements in one place.
    """
    cell = np.asarray(basis.cell.array)
    start = np.asarray(basis.get_scaled_positions())
    orbits = list(_orbits(start, operations, cell))
    owners = np.repeat(np.arange(len(orbits)), [len(orbit) for orbit in orbits])
    points = np.concatenate(orbits)
    tree = cKDTree(points % 1.0 % 1.0, boxsize=1.0)
    dropped: dict[int, None] = {}
    for row, near in enumerate(tree.query_ball_point(start % 1.0 % 1.0, SAME, p=np.inf)):
        earlier = [int(owners[i]) for i in near if owners[i] < row and owners[i] not in dropped and _same(points[i], start[row], cell)]
        if earlier:
            first = min(earlier)
            if basis.numbers[first] != basis.numbers[row]:
                raise InputError(f"{block.where}: {block.name(first)} and {block.name(row)}, of different elements, are in one place; {REMEDY}")
            dropped[row] = None
    kept = ~np.isin(owners, list(dropped))
    return points[kept], owners[kept], list(dropped)


def _orbits(start: Floats, operations: Sequence[tuple[Floats, Floats]], cell: Floats) -> Iterator[Floats]:
    """The different copies of each site [copies, 3], in the order of the operations."""
    rotations, translations = np.array([r for r, _ in operations]), np.array([t for _, t in operations]) % 1.0
    for point in start:
        copies = (rotations @ point + translations) % 1.0
        kept: Floats = copies[:1]
        if len(copies) > 1 and not _same(copies[1:], copies[0], cell).any():  # where none comes back to the first, all differ
            kept = copies
        else:
            for copy in copies[1:]:
                if not _same(kept, copy, cell).any():
                    kept = np.concatenate([kept, copy[None]])
        yield kept


def _same(points: Floats, other: Floats, cell: Floats) -> Any:
    """Whether points [..., 3] lie where another does, in units of the cell."""
    apart = points - other
    apart = apart - np.rint(apart)
    return (np.abs(apart) < SAME).all(axis=-1) & (np.linalg.norm(apart @ cell, axis=-1) < NEAREST)
