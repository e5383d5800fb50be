"""From what a user types to checked frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from mpcheck._errors import InputError
from mpcheck._files.io import digest, is_file, refuse_unwritable
from mpcheck._files.named import structure_file
from mpcheck.systems.builtin import MOST_ATOMS, build_builtin
from mpcheck.systems.files import each_frame, frames_in, read_frames, selected
from mpcheck.systems.frames import Frame
from mpcheck.systems.given import Given, Graph, evenly, read_given
from mpcheck.systems.inputs import ModelInput, take_inputs, values_of
from mpcheck.systems.recorded import SUFFIX, RecordedFile
from mpcheck.systems.spacing import DEPENDENT, bins, coincident, edges, lattice, searched, spans, visits

FARTHEST = 1e6  # Å: beyond it float32 holds no digit of a bond length, and neighbour lists overflow
CLOSEST = 0.1  # Å: nearer than this two atoms count as coincident; edge vectors and their harmonics degenerate
MOST_EDGES = 20_000_000  # of one batch: 1.3 GB for their vectors and harmonics alone, per tensor a hundred times more
MOST_MEMORY = 8e8  # bytes of upstream's neighbour list for its bins; about half of it is touched
MOST_VISITS, VISITS_PER_ATOM = 1e6, 200  # bins that upstream's neighbour list looks into: a second, and what crystals of flat cells need
MOST_TRIED = 1000  # frames that are looked at for one with edges


@dataclass(frozen=True)
class Structures:
    """A named batch of frames and the digest of its content.

    Attributes:
        notes: what a reader must know of how it was read, and of what reaches the model (:mod:`mpcheck.systems.inputs`), a line each.
        given: recorded calls whose structures these are; graph: then theirs, in float64, edges and shifts as they were recorded.
    """

    name: str
    frames: tuple[Atoms, ...]
    notes: tuple[str, ...] = ()
    given: Given | None = None
    graph: Graph | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over numbers, positions (Å), cells, periodicity and the model's further inputs of all frames, and the recorded graph."""
        parts: list[str | bytes] = []
        for frame in self.frames:
            parts += [
                np.asarray(frame.numbers, "<i8").tobytes(),
                np.asarray(frame.positions, "<f8").tobytes(),
                np.asarray(frame.cell.array, "<f8").tobytes(),
                np.asarray(frame.pbc, "u1").tobytes(),
            ]
            for name, value in values_of(frame).items():
                parts += [name, value if isinstance(value, str) else np.asarray(value, "<f8").tobytes()]
        for name, tensor in sorted((self.graph or {}).items()):
            parts += [name, str(tuple(tensor.shape)), np.ascontiguousarray(tensor.numpy()).tobytes()]
        return digest(*parts)

    @property
    def atoms(self) -> int:
        """Number of atoms in all frames."""
        return sum(len(frame) for frame in self.frames)


def resolve_system(
    spec: str, elements: Sequence[str], r_max: float, seed: int = 0, takes: Sequence[ModelInput] = (), heads: Sequence[str] = ()
) -> Structures:
    """``builtin:NAME[:N]`` or ``FILE[@SLICE]`` (``@-1`` the last frame, ``@::10`` every tenth; by default the first that has edges).

    Of a file of recorded calls (``.capture``) frames are calls, and all that fit into one batch are taken by default.

    Args:
        spec: what the user typed.
        elements: the model's elements; any other element is an error that names it.
        r_max: the model's cut-off in Å.
        seed: of the built-in systems' rattling. Files are taken as they are.
        takes, heads: what else the model takes, see :func:`mpcheck.systems.inputs.take_inputs`.

    Raises:
        InputError: unknown name, unreadable file, empty selection, NaN, coincident atoms, a missing element, a disordered crystal, no frame with
            edges where none was chosen, more edges or a longer cell than can be computed.
    """
    refuse_unwritable(spec, "system")
    if spec.startswith("builtin:"):
        frames, notes = build_builtin(spec, elements, r_max, seed), list[str]()
        counts = [_checked(f, f"system {spec}" + (f" frame {i}" if len(frames) > 1 else ""), elements, r_max) for i, f in enumerate(frames)]
    else:
        path, choice = _chosen(spec)
        if path.suffix.lower() == SUFFIX:
            return _recorded(RecordedFile(path), choice, spec, elements, takes, heads)
        if choice is None:
            frame, count, notes = _first_with_edges(path, spec, elements, r_max)
            frames, counts = [frame.atoms], [count]
        else:
            read = read_frames(path, choice, spec)
            frames, notes = [frame.atoms for frame in read], [note for frame in read for note in frame.notes]
            counts = [_checked(f.atoms, f"system {spec}" + (f" frame {f.number}" if len(read) > 1 else ""), elements, r_max) for f in read]
        every = frames_in(path)
        notes = [*notes, *([f"system {spec}: {len(frames)} of {every} frames judged"] if every and every > len(frames) else [])]
    if sum(counts) > MOST_EDGES:
        raise InputError(
            f"system {spec}: {sum(counts):.1e} pairs of atoms within {r_max:g} Å, {MOST_EDGES:.0e} at most; fix the structure, or choose less"
        )
    taken = take_inputs(frames, takes, heads, f"system {spec}")
    system = Structures(spec, taken.frames, (*notes, *taken.notes))
    if system.atoms > MOST_ATOMS:
        raise InputError(f"system {spec}: {system.atoms} atoms in one batch; choose fewer frames with FILE@SLICE")
    return system


def _recorded(
    file: RecordedFile, choice: int | slice | None, spec: str, elements: Sequence[str], takes: Sequence[ModelInput], heads: Sequence[str]
) -> Structures:
    """Recorded calls: their graphs are taken as they are, their structures are looked at as those of any file."""
    every, model = file.header.calls, file.header.model
    chosen = evenly(every, MOST_ATOMS, MOST_EDGES) if choice is None else selected(range(len(every)), choice, file.path, spec)
    given = read_given(file, chosen, spec, takes, MOST_EDGES)
    if not any(one.graph["edge_index"].numel() for one in given.calls):
        raise InputError(f"system {spec}: no call has an edge, so that hardly a block would run; record other structures")
    owners = [one.number for one in given.calls for _ in range(one.call.structures)]
    for number, frame in zip(owners, given.frames, strict=True):
        _check_frame(frame, f"system {spec} call {number}", elements)
    taken = take_inputs(given.frames, takes, heads, f"system {spec}")
    told = [f"{len(chosen)} of {file.header.seen} calls of {model.kind} in {model.dtype} on {model.device}, with edges as they were given"]
    told += [file.header.ended] if file.header.ended else []
    told += [f"{len(chosen)} of {len(every)} recorded calls judged"] if len(chosen) < len(every) else []
    return Structures(spec, taken.frames, (*told, *taken.notes), given, given.graph(elements, heads, takes, taken.frames))


def _chosen(spec: str) -> tuple[Path, int | slice | None]:
    """The file, and which of its frames; None where that is left open."""
    path, selection = structure_file(spec)
    if not selection and spec.endswith("@") and not is_file(Path(spec)):
        raise InputError(f"system {spec}: '' is not a frame number or START:STOP:STEP slice")
    if not selection:
        return path, None
    try:
        index: int | slice = int(selection) if ":" not in selection else slice(*(int(s) if s else None for s in selection.split(":")))
    except (ValueError, TypeError):
        raise InputError(f"system {spec}: {selection[:40]!r} is not a frame number or START:STOP:STEP slice") from None
    return path, index


def _first_with_edges(path: Path, spec: str, elements: Sequence[str], r_max: float) -> tuple[Frame, float, list[str]]:
    """The first frame with a pair of atoms within the cut-off, how many pairs it has, and what is to be said of it.

    Training sets begin with isolated atoms, on which most of a model does nothing, so that every fault of it would pass.
    """
    tried = 0
    for frame in islice(each_frame(path), MOST_TRIED):
        count = _checked(frame.atoms, f"system {spec}" + (f" frame {frame.number}" if frame.number else ""), elements, r_max)
        if count:
            said = f"system {spec}: frame {frame.number} is judged: in none before it are two atoms within {r_max:g} Å of each other"
            return frame, count, [*([said] if frame.number else []), *frame.notes]
        tried += 1
    if not tried:
        raise InputError(f"system {spec}: the selection is empty ({path} has no frames)")
    raise InputError(
        f"system {spec}: no two atoms are within the model's cut-off of {r_max:g} Å in any of {tried} frames, so that hardly a block would run; "
        f"give another structure, or choose a frame all the same with {path}@0"
    )


def _checked(frame: Atoms, where: str, elements: Sequence[str], r_max: float) -> float:
    """How many edges a sound frame has; refuses any other."""
    _check_frame(frame, where, elements)
    return _check_size(frame, where, r_max)


def _check_frame(frame: Atoms, where: str, elements: Sequence[str]) -> None:
    if len(frame) == 0:
        raise InputError(f"{where}: has no atoms")
    if not np.isfinite(frame.positions).all():
        atom = int(np.argwhere(~np.isfinite(frame.positions))[0, 0])
        raise InputError(f"{where}: position of atom {atom} is not a finite number; fix the file")
    if not np.isfinite(frame.cell.array).all():
        raise InputError(f"{where}: the cell is not finite; fix the file")
    if abs(frame.positions).max() > FARTHEST or abs(frame.cell.array).max() > FARTHEST:
        raise InputError(f"{where}: a position or cell vector is longer than {FARTHEST:.0e} Å; fix the file")
    _check_elements(frame, where, elements)
    _check_cell(frame, where)
    pair = coincident(frame, CLOSEST)
    if pair is not None:
        raise InputError(f"{where}: atoms {pair[0]} and {pair[1]} are closer than {CLOSEST} Å; fix the structure")


def _check_size(frame: Atoms, where: str, r_max: float) -> float:
    """How many edges a frame has; refuses one that a neighbour list cannot be built of."""
    if spans(searched(frame, r_max)) < DEPENDENT:
        open_ones = [i for i in range(3) if not frame.pbc[i]]
        axes = ", ".join(f"{'abc'[i]} along {'xyz'[i]}" for i in open_ones)
        raise InputError(
            f"{where}: upstream's neighbour list takes vectors without periodicity along their own Cartesian axis ({axes}), where this cell's "
            "periodic vectors lie; turn the structure, or put its vectors in another order"
        )
    memory = bins(frame, r_max) * 8
    if memory > MOST_MEMORY:
        raise InputError(
            f"{where}: upstream's neighbour list would take {memory / 1e9:.1f} GB, because the cell, or the largest coordinate of an open "
            "structure, is so long; give a smaller cell, or centre the structure on the origin"
        )
    if (looks := visits(frame, r_max)) > MOST_VISITS + VISITS_PER_ATOM * len(frame):
        raise InputError(
            f"{where}: upstream's neighbour list would look into {looks:.1e} bins, because the cell is so flat or skew; give an equivalent cell of "
            "short vectors (ase.geometry.minkowski_reduce)"
        )
    return edges(frame, r_max)


def _check_elements(frame: Atoms, where: str, elements: Sequence[str]) -> None:
    for atom, number in enumerate(frame.numbers):
        if not 0 <= number < len(chemical_symbols):  # a negative one would count from the end of ASE's table
            raise InputError(f"{where}: atom {atom} has the atomic number {number}, which no element has; fix the file")
    symbols = set(frame.get_chemical_symbols())
    if "X" in symbols:
        atom = int(np.argmin(frame.numbers))
        raise InputError(f"{where}: has atoms without an element (X or number 0), the first is atom {atom}; name their elements")
    missing = sorted(symbols - set(elements), key=chemical_symbols.index)
    if missing:
        raise InputError(f"{where}: has {', '.join(missing)}, which the model lacks (it has {', '.join(elements)}); use another model or structure")


def _check_cell(frame: Atoms, where: str) -> None:
    vectors = frame.cell.array[frame.pbc]
    if not len(vectors):
        return
    if (np.linalg.norm(vectors, axis=1) < 1e-3).any():
        raise InputError(f"{where}: periodic along a cell vector of no length; give a Lattice or set pbc to F F F")
    if spans(vectors) < DEPENDENT:
        raise InputError(f"{where}: periodic, but its cell has no volume; give a Lattice or set pbc to F F F")
    try:
        shortest = float(np.linalg.norm(lattice(frame)[frame.pbc], axis=1).min())
    except RuntimeError:  # the reduction does not converge
        shortest = 0.0
    if shortest < CLOSEST:
        raise InputError(f"{where}: its lattice repeats every {shortest:.2g} Å, so that atoms would lie on their own images; fix the Lattice")
