"""The structures of a system, moved: turned, shifted, in another order, and what the moved positions' own roundings cause.

Rotations, translations, permutations of atoms and shifts by lattice vectors are done to the structure, of which upstream's own
neighbour list makes a graph anew; permutations of edges, and rotations of structures that are periodic in some directions
only (whose search cell upstream chooses along fixed axes), are done to the graph.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from weakref import WeakKeyDictionary

import torch
from ase import Atoms

from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.facts.architecture import mirrored
from mpcheck.adapters.facts.rotation import Turn
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.slots import PLAIN
from mpcheck.adapters.steps import VECTOR
from mpcheck.adapters.upstream import quiet
from mpcheck.checks.symmetry.action import Structure, perturb_geometry
from mpcheck.checks.symmetry.deviation import moments
from mpcheck.checks.symmetry.group import Element, Shift, Shuffle, Wrap
from mpcheck.checks.symmetry.invariance import turned_graph
from mpcheck.checks.symmetry.ties import TIE, edges_of, settled, tied
from mpcheck.formats import Format
from mpcheck.judge.context import Context
from mpcheck.reference.deviation import disturbed, squares
from mpcheck.reference.library import Library
from mpcheck.reference.noise import seed_of
from mpcheck.systems.inputs import FIELD, with_inputs

GEOMETRY_DRAWS = 4
FEW_ATOMS = 32
"""Of so few, three times the draws: a crystal of two atoms has one stress, whose scale four draws knew to a third (3.51 of it, allowed 3.44)."""
SLOTS = {"energy": PLAIN, "forces": VECTOR, "stress": PLAIN}
LINEAR = 0.02  # of the shortest distance: forces of bonds go with about the tenth power of it, so that second-order terms reach 20 %


def properties(module: torch.nn.Module, graph: Tensors, stress: bool) -> Tensors:
    """Energy [graphs] (eV), forces [atoms, 3] (eV/Å) and stress [graphs, 3, 3] (eV/Å^3) in float64, of a graph of any dtype."""
    with quiet():
        out = module({n: t.clone() for n, t in graph.items()}, compute_force=True, compute_stress=stress)
    if out.get("energy") is not None and out.get("forces") is None:
        raise ValueError("the model gives no forces: they are None, and were asked for")
    return {n: out[n].detach().to(torch.float64) for n in SLOTS if out.get(n) is not None}


def has_stress(frames: tuple[Atoms, ...]) -> bool:
    """Whether every structure of a batch has a volume."""
    return all(bool(f.pbc.all()) for f in frames)


def moved_frame(frame: Atoms, element: Element, offsets: torch.Tensor) -> Atoms:
    """One structure turned, shifted or in another order; ``offsets`` [atoms, 3] Å, of a lattice shift."""
    positions = torch.tensor(frame.positions, dtype=torch.float64)
    cell = torch.tensor(frame.cell.array, dtype=torch.float64)
    numbers, atoms = frame.numbers, None
    if isinstance(element, Turn):
        positions, cell = element.vectors(positions), element.vectors(cell)
    elif isinstance(element, Shuffle):
        order = element.order(len(frame), element.atoms)
        positions, numbers, atoms = positions[order], numbers[order.numpy()], order.numpy()
    elif isinstance(element, Shift):
        positions = positions + torch.tensor(element.vector, dtype=torch.float64)
    else:
        positions = positions + offsets
    moved = with_inputs(Atoms(numbers, positions.numpy(), cell=cell.numpy(), pbc=frame.pbc), frame, atoms)
    if isinstance(element, Turn) and FIELD in moved.info:
        moved.info[FIELD] = element.vectors(torch.tensor(moved.info[FIELD], dtype=torch.float64).reshape(1, 3)).reshape(3).numpy()
    return moved


@dataclass
class Whole:
    """The transformed graphs of one system, float64 on the CPU, shared by formats and backends; ``mirrored``: whether inversion applies."""

    context: Context
    system: str
    structure: Structure
    mirrored: bool = True
    made: dict[Element, Tensors] = field(default_factory=dict)
    geometry: dict[Element, dict[str, tuple[torch.Tensor, float]]] = field(default_factory=dict)

    @property
    def frames(self) -> tuple[Atoms, ...]:
        """The structures."""
        return self.context.systems[self.system].frames

    def applies(self, element: Element) -> bool:
        """Lattice shifts need a lattice, inversions a model of both parities."""
        if isinstance(element, Turn) and element.inverted:
            return self.mirrored
        return not isinstance(element, Wrap) or self.structure.periodic

    def linear(self, element: Element, fmt: Format) -> bool:
        """Whether the rounding of moved positions is small beside the distances, without which no first-order scale holds."""
        if not isinstance(element, Shift | Wrap):
            return True
        graph = self.graph(element)
        apart = graph["positions"][graph["edge_index"][1]] - graph["positions"][graph["edge_index"][0]] + graph["shifts"]
        shortest = float(apart.norm(dim=-1).min()) if len(apart) else 0.0
        reach = max(float(graph["positions"].abs().max()), float(graph["shifts"].abs().max()) if len(apart) else 0.0)
        return fmt.roundoff["stored"] * reach < LINEAR * shortest

    def order(self, element: Shuffle) -> torch.Tensor:
        """New order of the batch's atoms: each structure's within itself."""
        start, orders = 0, []
        for frame in self.frames:
            orders.append(element.order(len(frame), element.atoms) + start)
            start += len(frame)
        return torch.cat(orders)

    def graph(self, element: Element) -> Tensors:
        """The transformed structure's graph."""
        if element not in self.made:
            self.made[element] = self._make(element)
        return self.made[element]

    def _make(self, element: Element) -> Tensors:
        if isinstance(element, Turn) and any(f.pbc.any() and not f.pbc.all() for f in self.frames):
            return turned_graph(self.context.graph(self.system), element)
        counts = [len(f) for f in self.frames]
        offsets = self.structure.offsets(element) if isinstance(element, Wrap) else torch.zeros(sum(counts), 3, dtype=torch.float64)
        frames = [moved_frame(f, element, o) for f, o in zip(self.frames, offsets.split(counts), strict=True)]
        model = self.context.model
        graph = make_graph(frames, model.elements, model.r_max * (1 + 2 * TIE) if self.tied else model.r_max, model.heads, model.inputs)
        if self.tied:
            back = element.inverse.vectors if isinstance(element, Turn) else lambda vectors: vectors
            atoms = self.order(element) if isinstance(element, Shuffle) else torch.arange(sum(counts))
            graph = settled(graph, self.context.graph(self.system), model.r_max, back, atoms)
        if isinstance(element, Shuffle) and element.edges:
            graph = edges_of(graph, element.order(graph["edge_index"].shape[1], True))
        return graph

    @cached_property
    def tied(self) -> bool:
        """Whether an edge is as long as the cutoff, in the graph or just outside of it."""
        model = self.context.model
        wide = make_graph(self.frames, model.elements, model.r_max * (1 + 2 * TIE), model.heads, model.inputs)
        return bool(tied(wide, model.r_max).any())

    def roundings(self, element: Element, keep: bool = False) -> dict[str, tuple[torch.Tensor, float]]:
        """Variance for u = 1 that the moved positions' own roundings cause, and its spread between draws.

        The module must be in float64; ``keep`` puts them into the store of references. Keys are properties, and
        ``operand:PROPERTY`` for the roundings of matrix operands: where stress is asked for, upstream computes the lattice
        shifts anew as a matrix product of cell and cell indices.
        """
        if element not in self.geometry:
            library = self.context.library(self.system)
            if keep:
                name = f"model.moved.{seed_of(element.text):016x}"
                tensors, _ = library.store.fetch(name, lambda: library.store.save(name, self._draw(element), {}))
            else:
                tensors = self._draw(element)
            where = self.context.reference_backend.device
            self.geometry[element] = {n: (t.to(where), float(tensors[f"spread:{n}"])) for n, t in tensors.items() if not n.startswith("spread:")}
        return self.geometry[element]

    def _draw(self, element: Element) -> Tensors:
        """Monte Carlo draws for :meth:`roundings`."""
        backend, stress = self.context.reference_backend, has_stress(self.frames)
        graph = {n: t.to(backend.device) for n, t in self.graph(element).items()}
        exact = properties(backend.model, graph, stress)
        operands = disturbed(lambda: {f"operand:{n}": t for n, t in properties(backend.model, graph, stress).items()}, "operand")

        def draw(seed: int) -> Tensors:
            positions, shifts = perturb_geometry(graph["positions"], graph["shifts"], graph["edge_index"], seed)
            return {**properties(backend.model, {**graph, "positions": positions, "shifts": shifts}, stress), **operands(seed)}

        draws = GEOMETRY_DRAWS * (3 if len(graph["positions"]) <= FEW_ATOMS else 1)
        seeds = [seed_of("geometry", self.system, number) for number in range(draws)]
        variances: Tensors = {}
        for name, own in squares(draw, exact | {f"operand:{n}": t for n, t in exact.items()}, seeds, torch.square).items():
            variances[name], spread = moments(own)
            variances[f"spread:{name}"] = torch.tensor(spread, dtype=torch.float64)
        return variances


_WHOLES: WeakKeyDictionary[Library, Whole] = WeakKeyDictionary()


def whole_of(context: Context, system: str, structure: Structure) -> Whole:
    """The transformed graphs of a system, kept for the process."""
    library = context.library(system)
    if library not in _WHOLES:
        _WHOLES[library] = Whole(context, system, structure, mirrored(context.model.module))
    return _WHOLES[library]
