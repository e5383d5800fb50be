"""Recorded calls as a system: the graph as it was given, not a neighbour list of our own, and its structures for checks that move atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms

from mpcheck._errors import InputError
from mpcheck._text import listed
from mpcheck.systems.builtin import MOST_ATOMS
from mpcheck.systems.inputs import HEAD, ModelInput
from mpcheck.systems.recorded import NUMBERS, Call, Header, RecordedFile

Graph = dict[str, torch.Tensor]
EDGES, ATOMS = ("shifts", "unit_shifts"), (NUMBERS, "positions")
OPEN = 4.999  # cut-offs by the largest coordinate: as long upstream makes the cell along an axis that has no periodicity


@dataclass(frozen=True)
class GivenCall:
    """A call's graph in float64, which holds every number of every format.

    Attributes:
        dtype: of the positions as they were given.
    """

    number: int
    call: Call
    graph: Graph
    dtype: torch.dtype


@dataclass(frozen=True)
class Given:
    """Calls of one file as one batch.

    Attributes:
        header: of the file. calls: those that are chosen. frames: their structures, with what else the model takes.
    """

    header: Header
    calls: tuple[GivenCall, ...]
    frames: tuple[Atoms, ...]

    def graph(self, elements: Sequence[str], heads: Sequence[str], takes: Sequence[ModelInput], taken: Sequence[Atoms]) -> Graph:
        """What the model takes, as :func:`mpcheck.adapters.graph.make_graph` names it; edges and shifts as they were recorded.

        Args:
            taken: the frames, with the head of each.
        """
        parts, joined = [one.graph for one in self.calls], Graph()
        atoms = [len(part["batch"]) for part in parts]
        graphs = [len(part["ptr"]) - 1 for part in parts]
        joined["batch"] = torch.cat([part["batch"] + sum(graphs[:i]) for i, part in enumerate(parts)])
        joined["ptr"] = torch.cat([torch.zeros(1, dtype=torch.long), *(part["ptr"][1:] + sum(atoms[:i]) for i, part in enumerate(parts))])
        joined["edge_index"] = torch.cat([part["edge_index"] + sum(atoms[:i]) for i, part in enumerate(parts)], dim=1)
        for name in ("positions", "shifts", "unit_shifts", "cell", *(entry.name for entry in takes)):
            joined[name] = torch.cat([part[name] for part in parts])
        numbers = torch.cat([part[NUMBERS] for part in parts])
        symbols = [Atoms([int(z)]).get_chemical_symbols()[0] for z in numbers.unique(sorted=True)]
        place = {int(z): list(elements).index(symbol) for z, symbol in zip(numbers.unique(sorted=True), symbols, strict=True)}
        rows = torch.tensor([place[int(z)] for z in numbers])
        joined["node_attrs"] = torch.nn.functional.one_hot(rows, len(elements)).to(torch.float64)
        joined["head"] = torch.tensor([list(heads).index(frame.info[HEAD]) if HEAD in frame.info else 0 for frame in taken])
        return joined


def evenly(calls: Sequence[Call], most_atoms: int, most_edges: int) -> list[int]:
    """Numbers of calls of one batch: all, or as many as there is room for, evenly spaced."""
    for step in range(1, len(calls) + 1):
        chosen = list(range(0, len(calls), step))
        if sum(calls[i].atoms for i in chosen) <= most_atoms and sum(calls[i].edges for i in chosen) <= most_edges:
            return chosen
    return [0]


def read_given(file: RecordedFile, chosen: Sequence[int], where: str, takes: Sequence[ModelInput], most_edges: int) -> Given:
    """The chosen calls of a file.

    Raises:
        InputError: damaged, numbers that are not finite, an input of the model that was not recorded, more atoms or edges than one batch takes.
    """
    calls, frames = list[GivenCall](), list[Atoms]()
    atoms = edges = 0
    for number in chosen:
        raw = file.call(number)
        atoms, edges = atoms + len(raw["batch"]), edges + raw["edge_index"].shape[1]
        if atoms > MOST_ATOMS or edges > most_edges:
            raise InputError(
                f"system {where}: more than {MOST_ATOMS:,} atoms or {most_edges:,} edges in one batch; choose fewer calls with FILE@SLICE"
            )
        place = f"system {where} call {number}"
        for entry in takes:
            if entry.name not in raw:
                raise InputError(f"{place}: the model takes {entry.name}, which was not recorded; record this model, or judge the one that was")
        one = GivenCall(number, file.header.calls[number], _wide(raw, takes, place), raw["positions"].dtype)
        calls.append(one)
        frames += _frames(one, file.header, takes, place)
    return Given(file.header, tuple(calls), tuple(frames))


def _wide(raw: Graph, takes: Sequence[ModelInput], where: str) -> Graph:
    graph: Graph = {}
    for name, tensor in raw.items():
        graph[name] = tensor.to(torch.float64) if tensor.is_floating_point() else tensor if tensor.dtype == torch.bool else tensor.long()
        if not bool(torch.isfinite(graph[name]).all()):
            raise InputError(f"{where}: {name} holds numbers that are not finite; choose other calls with FILE@SLICE")
    structures, atoms = len(graph["ptr"]) - 1, len(graph["batch"])
    graph.setdefault("cell", torch.zeros(3 * structures, 3, dtype=torch.float64))
    if "unit_shifts" not in graph:  # without stress upstream reads shifts alone
        inverse = torch.linalg.pinv(graph["cell"].view(-1, 3, 3))[graph["batch"][graph["edge_index"][0]]]
        graph["unit_shifts"] = torch.einsum("ei,eij->ej", graph["shifts"], inverse).round()
    for entry in takes:
        graph[entry.name] = graph[entry.name].to(torch.float64)
        if len(graph[entry.name]) != (atoms if entry.per_atom else structures):
            raise InputError(f"{where}: {entry.name} is of shape {list(graph[entry.name].shape)}, a row to each expected; record it again")
    return graph


def _frames(one: GivenCall, header: Header, takes: Sequence[ModelInput], where: str) -> list[Atoms]:
    graph, frames = one.graph, []
    owner = graph["batch"][graph["edge_index"][0]]
    for number in range(len(graph["ptr"]) - 1):
        mine = slice(int(graph["ptr"][number]), int(graph["ptr"][number + 1]))
        positions, cell = graph["positions"][mine].numpy(), graph["cell"][3 * number : 3 * number + 3].numpy()
        pbc = (
            graph["pbc"][number].bool().numpy()
            if "pbc" in graph
            else _periodic(cell, positions, graph["unit_shifts"][owner == number], header.model.r_max)
        )
        frame = Atoms(graph[NUMBERS][mine].numpy(), positions, cell=np.where(pbc[:, None], cell, 0.0), pbc=pbc)
        for entry in takes:
            value = graph[entry.name][mine if entry.per_atom else number].numpy()
            (frame.arrays if entry.per_atom else frame.info)[entry.name] = value
        if "head" in graph:
            head = int(graph["head"][number])
            if not 0 <= head < len(header.model.heads):
                raise InputError(f"{where}: head {head}, and the recorded model has {listed(header.model.heads, 8)}; record it again")
            frame.info[HEAD] = header.model.heads[head]
        elif header.model.heads:
            frame.info[HEAD] = header.model.heads[0]  # upstream takes the first
        frames.append(frame)
    return frames


def _periodic(cell: np.ndarray, positions: np.ndarray, unit_shifts: torch.Tensor, r_max: float) -> np.ndarray:
    """Along which vectors a structure repeats, where it was not recorded: not those of no length, nor upstream's long ones of open structures."""
    lengths = np.linalg.norm(cell, axis=1)
    shifted = (unit_shifts != 0).any(dim=0).numpy() if len(unit_shifts) else np.zeros(3, dtype=bool)
    repeats: np.ndarray = (lengths > 0) & (shifted | (lengths < OPEN * r_max * (abs(positions).max() + 1.0)))
    return repeats
