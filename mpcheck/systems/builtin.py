"""The built-in systems.

Each is a function of the model's elements, its cut-off and a seed; it returns the frames of one batch. They are rattled, so
that no force vanishes by symmetry, and between them they have several elements, odd atom counts, mixed periodicity, more
than 256 neighbours, no neighbours at all, and graphs of unequal size in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from ase.data import atomic_numbers as numbers_of
from ase.data import covalent_radii

from mpcheck._errors import InputError
from mpcheck._text import near

WATER_VOLUME = 29.9  # Å^3 per molecule at 0.997 g/cm^3
MOST_ATOMS = 200_000
DENSE_NEIGHBOURS = 280  # aimed at in builtin:dense; a bfloat16 counter saturates at 256


@dataclass(frozen=True)
class Request:
    """What a builder may depend on: the name that it was asked by, the model's elements, its cut-off in Å, a size argument and the random stream."""

    spec: str
    elements: Sequence[str]
    r_max: float
    size: int | None
    rng: np.random.Generator


@dataclass(frozen=True)
class Builtin:
    """One built-in system: the elements it needs (none: it adapts to the model's), its default size, its builder."""

    build: Callable[[Request], list[Atoms]]
    needs: frozenset[str]
    about: str
    default: bool
    size: int | None = None


def _separated(atoms: Atoms, shortest: float) -> bool:
    distances = atoms.get_all_distances(mic=bool(atoms.pbc.any()))
    np.fill_diagonal(distances, np.inf)
    return bool(distances.min() > shortest)


def _rattled(atoms: Atoms, amplitude: float, rng: np.random.Generator) -> Atoms:
    """Every coordinate moved by a normal deviate of `amplitude` Å, and the cell sheared a little where it is periodic."""
    atoms = atoms.copy()
    if atoms.pbc.all():
        strain = np.eye(3) + rng.normal(0, 0.01, (3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    atoms.positions += rng.normal(0, amplitude, atoms.positions.shape)
    return atoms


def _water(request: Request) -> list[Atoms]:
    n = request.size or 11
    edge = (n * WATER_VOLUME) ** (1 / 3)
    per_side = int(np.ceil(n ** (1 / 3)))
    sites = [(i, j, k) for i in range(per_side) for j in range(per_side) for k in range(per_side)]
    box = Atoms(cell=[edge] * 3, pbc=True)
    for site in request.rng.permutation(len(sites))[:n]:
        # turn each molecule until it clashes with none that is there already
        for _ in range(200):
            trial = molecule("H2O")
            trial.rotate(request.rng.uniform(0, 360), request.rng.normal(size=3))
            trial.positions += (np.array(sites[site]) + 0.5) * edge / per_side - trial.positions.mean(axis=0)
            if len(box) == 0 or _clear(box, trial, 1.6):
                break
        box += trial
    return [_rattled(box, 0.03, request.rng)]


def _clear(box: Atoms, trial: Atoms, shortest: float) -> bool:
    both = box + trial
    n = len(box)
    return all(both.get_distances(i, range(n), mic=True).min() > shortest for i in range(n, len(both)))


def _diamond(request: Request) -> list[Atoms]:
    n = request.size or 1
    _affordable(request, 8 * n**3)
    crystal = bulk("C", "diamond", a=3.567, cubic=True).repeat((n, n, n))
    return [_rattled(crystal, 0.05, request.rng)]


def _carbon_cluster(request: Request) -> list[Atoms]:
    n = request.size or 37
    crystal = bulk("C", "diamond", a=3.567, cubic=True).repeat((4, 4, 4))
    crystal.pbc = False
    crystal.cell = None
    order = np.argsort(np.linalg.norm(crystal.positions - crystal.positions.mean(axis=0) - 0.1, axis=1), kind="stable")
    if n > len(order):
        raise InputError(f"builtin:carbon-cluster:{n}: at most {len(order)} atoms; use builtin:diamond:N for more")
    return [_rattled(crystal[order[:n]], 0.08, request.rng)]


def _solvents(request: Request) -> list[Atoms]:
    names = ["H2O", "CH3OH", "CH3COCH3", "CH3CH2OH", "C6H6", "CH3COOH", "CH3OCH3"][: request.size]
    return [_rattled(molecule(name), 0.05, request.rng) for name in names]


def _spacing(elements: Sequence[str]) -> float:
    """A distance in Å at which atoms of these elements neither overlap nor lie far apart."""
    return 2.3 * float(np.mean([covalent_radii[numbers_of[s]] for s in elements]))


def _mixture(elements: Sequence[str], n: int) -> list[str]:
    """`n` symbols that go through the elements in turn: with an odd `n` the counts differ."""
    return [elements[i % len(elements)] for i in range(n)]


def _affordable(request: Request, atoms: int) -> None:
    if atoms > MOST_ATOMS:
        raise InputError(f"system {request.spec}: {atoms} atoms are more than {MOST_ATOMS}; choose a smaller size")


def _lattice(request: Request, counts: tuple[int, int, int], spacing: float) -> Atoms:
    _affordable(request, counts[0] * counts[1] * counts[2])
    sites = np.array([(i, j, k) for i in range(counts[0]) for j in range(counts[1]) for k in range(counts[2])], dtype=float)
    symbols = request.rng.permutation(_mixture(request.elements, len(sites)))
    return Atoms(list(symbols), sites * spacing, cell=np.array(counts) * spacing)


def _slab(request: Request) -> list[Atoms]:
    spacing = 1.25 * _spacing(request.elements)
    n = request.size or 3
    slab = _lattice(request, (n, n, 3), spacing)
    slab.pbc = (True, True, False)
    slab.cell[2] = [0.0, 0.0, 3 * spacing + 7.0]
    slab.cell[1] += [0.35 * spacing, 0.0, 0.0]
    slab.positions[:, 0] += 0.35 * spacing * slab.positions[:, 1] / slab.cell[1, 1]
    return [_rattled(slab, 0.08 * spacing, request.rng)]


def _dense(request: Request) -> list[Atoms]:
    spacing = float((4 / 3 * np.pi * request.r_max**3 / DENSE_NEIGHBOURS) ** (1 / 3))
    n = request.size or 2
    cell = _lattice(request, (n, n, n), spacing)
    cell.pbc = True
    return [_rattled(cell, 0.08 * spacing, request.rng)]


def _isolated(request: Request) -> list[Atoms]:
    return [Atoms([s], request.rng.normal(0, 1, (1, 3))) for s in _mixture(request.elements, request.size or len(request.elements))]


def _batch(request: Request) -> list[Atoms]:
    spacing = _spacing(request.elements)
    frames = []
    for n in (1, 2, 5, 13)[: request.size]:
        frame = Atoms()
        while len(frame) < n:  # a random cluster: each atom next to one that is there
            symbol = request.elements[len(frame) % len(request.elements)]
            anchor = frame.positions[request.rng.integers(len(frame))] if len(frame) else np.zeros(3)
            step = request.rng.normal(size=3)
            trial = frame + Atoms([symbol], [anchor + spacing * step / np.linalg.norm(step)])
            if len(trial) == 1 or _separated(trial, 0.75 * spacing):
                frame = trial
        frames.append(frame)
    periodic = _lattice(request, (2, 2, 3), 1.15 * spacing)
    periodic.pbc = True
    return [*frames, _rattled(periodic, 0.1 * spacing, request.rng)]


_ANY: frozenset[str] = frozenset()
BUILTIN: dict[str, Builtin] = {
    "water": Builtin(_water, frozenset("HO"), "periodic water at 0.997 g/cm3, N molecules", True),
    "solvents": Builtin(_solvents, frozenset("HCO"), "seven solvent molecules in one batch", True),
    "slab": Builtin(_slab, _ANY, "a sheared slab, periodic in two directions", True),
    "dense": Builtin(_dense, _ANY, "a compressed crystal with more than 256 neighbours per atom", True),
    "batch": Builtin(_batch, _ANY, "five graphs of unequal size, one of them periodic, one a single atom", False),
    "isolated": Builtin(_isolated, _ANY, "one atom of each element, without neighbours", False),
    "diamond": Builtin(_diamond, frozenset("C"), "N x N x N conventional cells of rattled diamond", False),
    "carbon-cluster": Builtin(_carbon_cluster, frozenset("C"), "a cluster of N carbon atoms", False),
}
DEFAULT_SYSTEMS = tuple(f"builtin:{name}" for name, entry in BUILTIN.items() if entry.default)


def available_systems(elements: Sequence[str]) -> list[str]:
    """The default built-in systems that a model with these elements can compute."""
    return [f"builtin:{name}" for name, entry in BUILTIN.items() if entry.default and entry.needs <= set(elements)]


def build_builtin(spec: str, elements: Sequence[str], r_max: float, seed: int) -> list[Atoms]:
    """The frames of ``builtin:NAME`` or ``builtin:NAME:N``.

    Raises:
        InputError: an unknown name, a size that is not a positive integer, elements that the model lacks, or a negative seed.
    """
    name, _, size_text = spec.removeprefix("builtin:").partition(":")
    if name not in BUILTIN:
        raise InputError(f"system {spec}: no such built-in system{near(name, BUILTIN)}; there are {', '.join(f'builtin:{n}' for n in BUILTIN)}")
    if size_text and not (size_text.isascii() and size_text.isdigit() and len(size_text) < 6 and 0 < int(size_text) <= 10_000):
        raise InputError(f"system {spec}: the size {size_text[:20]!r} must be an integer from 1 to 10000")
    entry = BUILTIN[name]
    missing = sorted(entry.needs - set(elements))
    if missing:
        raise InputError(
            f"system {spec} needs {', '.join(missing)}, which the model lacks (it has {', '.join(elements)}); "
            f"choose one of {', '.join(available_systems(elements))} or a structure file"
        )
    if seed < 0:
        raise InputError(f"seed {seed}: must not be negative")
    stream = np.random.default_rng([seed, *name.encode()])
    return entry.build(Request(spec, tuple(elements), r_max, int(size_text) if size_text else None, stream))
