"""The structures of the zoo, by ASE's own builders: all fourteen Bravais lattices, crystals, surfaces, layers, tubes and molecules; Å."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, bcc110, bulk, fcc100, fcc111, graphene, hcp0001, molecule, mx2, nanotube
from ase.io import write
from ase.lattice import BCC, BCT, CUB, FCC, HEX, MCL, MCLC, ORC, ORCC, ORCF, ORCI, RHL, TET, TRI

RATTLED = 0.06  # Å, standard deviation


@dataclass(frozen=True)
class Structure:
    """One structure: how it is built, and whether its atoms are moved off their places, where symmetry makes forces zero."""

    make: Callable[[], Atoms]
    rattled: bool = False


def _lattice(cell: object, symbol: str) -> Callable[[], Atoms]:
    """One atom in the primitive cell of a Bravais lattice."""
    return lambda: Atoms(symbol, positions=[[0, 0, 0]], cell=cell.tocell(), pbc=True)  # type: ignore[attr-defined]


def _mixed(make: Callable[[], Atoms], other: str, every: int) -> Callable[[], Atoms]:
    """Every so many atoms become another element."""

    def made() -> Atoms:
        atoms = make()
        atoms.symbols[::every] = other
        return atoms

    return made


def _adsorbed() -> Atoms:
    slab = fcc111("Al", (2, 2, 3), vacuum=6.0)
    add_adsorbate(slab, "Cu", 2.0, "fcc")
    return slab


def _slab(make: Callable[[], Atoms], pbc: tuple[bool, bool, bool]) -> Callable[[], Atoms]:
    def made() -> Atoms:
        atoms = make()
        atoms.pbc = pbc
        return atoms

    return made


def _chain(symbols: str, spacing: float) -> Callable[[], Atoms]:
    """Along z, periodic along it alone."""
    count = len(Atoms(symbols))
    return lambda: Atoms(symbols, positions=[[0, 0, k * spacing] for k in range(count)], cell=[12, 12, count * spacing], pbc=(False, False, True))


def _boxed(name: str, edge: float) -> Callable[[], Atoms]:
    def made() -> Atoms:
        atoms = molecule(name)
        atoms.set_cell([edge] * 3)
        atoms.center()
        atoms.pbc = True
        return atoms

    return made


def _far(make: Callable[[], Atoms]) -> Callable[[], Atoms]:
    """Away from the origin, where positions have fewer digits left; farther away upstream's neighbour list takes gigabytes, and is refused."""

    def made() -> Atoms:
        atoms = make()
        atoms.positions += [31.3, -17.1, 60.7]
        return atoms

    return made


def _rock(pair: str, a: float) -> Callable[[], Atoms]:
    return lambda: bulk(pair, "rocksalt", a=a, cubic=True)


STRUCTURES: dict[str, Structure] = {
    # the fourteen Bravais lattices, perfect
    "cubic": Structure(_lattice(CUB(2.6), "Al")),
    "face-centred": Structure(_lattice(FCC(4.05), "Al")),
    "body-centred": Structure(_lattice(BCC(2.9), "Cu")),
    "tetragonal": Structure(_lattice(TET(2.5, 2.9), "Na")),
    "body-centred-tetragonal": Structure(_lattice(BCT(2.8, 3.6), "Cl")),
    "orthorhombic": Structure(_lattice(ORC(2.3, 2.5, 2.8), "O")),
    "face-centred-orthorhombic": Structure(_lattice(ORCF(3.4, 3.9, 4.5), "Si")),
    "body-centred-orthorhombic": Structure(_lattice(ORCI(2.6, 2.9, 3.4), "Ti")),
    "base-centred-orthorhombic": Structure(_lattice(ORCC(2.6, 3.9, 2.7), "Mo")),
    "hexagonal": Structure(_lattice(HEX(2.7, 2.9), "S")),
    "rhombohedral": Structure(_lattice(RHL(2.6, 70.0), "Cu")),
    "monoclinic": Structure(_lattice(MCL(2.3, 2.5, 2.7, 75.0), "C")),
    "base-centred-monoclinic": Structure(_lattice(MCLC(3.1, 3.6, 3.9, 76.0), "Al")),
    "triclinic": Structure(_lattice(TRI(2.3, 2.5, 2.7, 78.0, 82.0, 86.0), "O")),
    # perfect crystals of several atoms
    "diamond": Structure(lambda: bulk("C", "diamond", a=3.57)),
    "silicon": Structure(lambda: bulk("Si", "diamond", a=5.43, cubic=True)),
    "rock-salt": Structure(_rock("NaCl", 5.2)),
    "caesium-chloride": Structure(lambda: bulk("NaCl", "cesiumchloride", a=3.1)),
    "zinc-blende": Structure(lambda: bulk("SiO", "zincblende", a=4.4)),
    "wurtzite": Structure(lambda: bulk("SiO", "wurtzite", a=3.0, c=4.9)),
    "fluorite": Structure(lambda: bulk("SiOO", "fluorite", a=4.6)),
    "close-packed": Structure(lambda: bulk("Ti", "hcp", a=2.95, c=4.68)),
    "oxide": Structure(_rock("TiO", 4.2)),
    "alloy": Structure(_mixed(lambda: bulk("Al", "fcc", a=4.0, cubic=True), "Cu", 4)),
    "gold-alloy": Structure(_mixed(lambda: bulk("Au", "fcc", a=4.08, cubic=True), "Al", 2)),
    # rattled and strained crystals
    "diamond-rattled": Structure(lambda: bulk("C", "diamond", a=3.57, cubic=True), rattled=True),
    "rock-salt-rattled": Structure(_rock("NaCl", 5.2), rattled=True),
    "alloy-rattled": Structure(_mixed(lambda: bulk("Al", "fcc", a=4.0, cubic=True) * (2, 1, 1), "Cu", 3), rattled=True),
    "gold-rattled": Structure(_mixed(lambda: bulk("Au", "fcc", a=4.08, cubic=True), "Al", 3), rattled=True),
    "oxide-rattled": Structure(_rock("TiO", 4.2), rattled=True),
    "silica-rattled": Structure(lambda: bulk("SiO", "zincblende", a=4.4, cubic=True), rattled=True),
    "small-cell-rattled": Structure(lambda: bulk("NaCl", "cesiumchloride", a=3.0), rattled=True),
    "salt-108": Structure(_mixed(lambda: bulk("Na", "fcc", a=4.2, cubic=True) * (3, 3, 3), "Cl", 2), rattled=True),
    "metal-200": Structure(_mixed(lambda: bulk("Al", "fcc", a=4.0, cubic=True) * (5, 5, 2), "Cu", 7), rattled=True),
    # surfaces, layers, tubes and wires
    "surface-100": Structure(_slab(lambda: fcc100("Cu", (2, 2, 3), vacuum=6.0), (True, True, False)), rattled=True),
    "surface-111": Structure(_slab(_adsorbed, (True, True, False))),
    "surface-110": Structure(_slab(lambda: bcc110("Mo", (2, 2, 3), a=3.15, vacuum=6.0), (True, True, True))),
    "surface-0001": Structure(_slab(lambda: hcp0001("Ti", (2, 2, 2), a=2.95, c=4.68, vacuum=6.0), (True, True, False)), rattled=True),
    "graphene": Structure(lambda: graphene(size=(2, 2, 1), vacuum=6.0)),
    "graphene-rattled": Structure(lambda: graphene(size=(2, 2, 1), vacuum=6.0), rattled=True),
    "disulphide": Structure(lambda: mx2("MoS2", size=(2, 2, 1), vacuum=6.0)),
    "disulphide-rattled": Structure(lambda: mx2("MoS2", size=(2, 2, 1), vacuum=6.0), rattled=True),
    "tube": Structure(lambda: nanotube(4, 0, length=1, vacuum=6.0), rattled=True),
    "wire": Structure(_chain("AlCuAlCu", 2.5)),
    # molecules
    "water": Structure(lambda: molecule("H2O"), rattled=True),
    "methane": Structure(lambda: molecule("CH4")),
    "carbon-dioxide": Structure(lambda: molecule("CO2")),
    "acetaldehyde": Structure(lambda: molecule("CH3CHO"), rattled=True),
    "benzene": Structure(lambda: molecule("C6H6")),
    "ethanol-boxed": Structure(_boxed("CH3CH2OH", 7.0), rattled=True),
    "hydrogen": Structure(lambda: molecule("H2")),
    "salt-pair": Structure(lambda: Atoms("NaCl", positions=[[0, 0, 0], [1.4, 1.3, 1.2]])),
    "silica-molecule": Structure(lambda: molecule("SiO")),
    "titania-molecule": Structure(lambda: Atoms("TiO2", positions=[[0, 0, 0], [1.4, 0.8, 0], [-1.4, 0.8, 0.1]])),
    "ethanol-far": Structure(_far(lambda: molecule("CH3CH2OH")), rattled=True),
}


def build(name: str) -> Atoms:
    """One structure, the same one each time."""
    structure = STRUCTURES[name]
    atoms = structure.make()
    if structure.rattled:
        atoms.positions += np.random.default_rng(zlib.crc32(name.encode())).normal(0.0, RATTLED, atoms.positions.shape)
    return atoms


def save(name: str, directory: Path) -> Path:
    """Its file."""
    path = directory / f"{name}.extxyz"
    write(path, build(name), format="extxyz")
    return path


def elements() -> dict[str, list[str]]:
    """Chemical symbols of every structure."""
    return {name: sorted(set(build(name).symbols)) for name in STRUCTURES}
