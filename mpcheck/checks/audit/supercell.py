"""A crystal of so many cells that its edges are more than 16 bits count: atoms have the energies that they have in one cell."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from ase import Atoms

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.execution import Tensors
from mpcheck.checks.audit.equivalent_cells import node_energies
from mpcheck.checks.audit.rows import Made
from mpcheck.checks.physics.structure import DRAWS, Case, case_of, difference_ratio, evaluate, limit_of
from mpcheck.judge.context import Context, Key
from mpcheck.records.record import Record
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.noise import seed_of

SUPERCELL = "supercell"
EDGES = 2**16 + 37
MOST_BYTES = 16 * 10**9  # of all tensors that a call makes: some seconds; without gradients little of it is held at once
MOST_ATOMS = 3000


def crystal(context: Context) -> Atoms:
    """Two atoms of a model's elements in a cell of half of the cut-off and more, at no right angle."""
    r_max, elements = context.model.r_max, context.model.elements
    vectors = torch.tensor([[0.52, 0.04, -0.03], [0.09, 0.48, 0.05], [-0.14, 0.08, 0.55]], dtype=torch.float64) * r_max
    places = torch.tensor([[0.1, 0.2, 0.3], [0.62, 0.55, 0.71]], dtype=torch.float64) @ vectors
    return Atoms([elements[0], elements[-1]], places.numpy(), cell=vectors.numpy(), pbc=True)


def supercell(context: Context, key: Key) -> list[Record]:
    """One backend's energies of atoms, and their sum, in float64."""
    case = case_of(context, key)
    if isinstance(case, Record):
        return [case]
    found = attempt(lambda: _records(replace(case, frame=crystal(context))))
    return [case.finding(None, reason=f"raised {found.text}")] if isinstance(found, Raised) else found


def _records(case: Case) -> list[Record]:
    graph = case.graph(case.atoms)
    edges = int(graph["edge_index"].shape[1])
    with Made() as made:
        base = node_energies(case.model, graph)
    most = min(MOST_ATOMS // len(case.atoms), MOST_BYTES // max(1, made.total))
    times = max(2, min(math.ceil((EDGES / max(1, edges)) ** (1 / 3)), int(most ** (1 / 3))))
    large = case.atoms.repeat((times, times, times))
    many = case.graph(large)
    out = evaluate(case.model, many, compute_force=False)
    copies = times**3

    def values() -> Tensors:
        return {"node_energy": node_energies(case.context.reference_backend.model, graph)}

    seeds = [seed_of(SUPERCELL, case.context.seed, draw) for draw in range(DRAWS)]
    scale = deviation(disturbed(values), values(), seeds)["node_energy"]
    expected = base.repeat(copies)
    off = (out["node_energy"] - expected).abs().nan_to_num(nan=math.inf)
    worst, count = int(off.argmax()), int(many["edge_index"].shape[1])
    reason = f"of {copies} cells with {count:,} edges atom {worst} has another energy than in one cell, by {float(off[worst]) * 1e3:.3g} meV"
    metrics = {"cells": float(copies), "atoms": float(len(large)), "edges": float(count), "difference_meV": float(off[worst]) * 1e3}
    ratio = difference_ratio(out["node_energy"], expected, scale.repeat(copies))
    # equal atoms are no further evidence
    atoms = case.finding(ratio, limit=limit_of(case, len(base)), variant="atoms", reason=reason, worst=f"atom {worst}", metrics=metrics)
    return [atoms, _total(case, out["energy"], evaluate(case.model, graph, compute_force=False)["energy"], base, scale, copies)]


def _total(case: Case, energy: torch.Tensor, one: torch.Tensor, base: torch.Tensor, scale: torch.Tensor, copies: int) -> Record:
    """The energy of n cells is n times that of one, but for what the sum rounds.

    Adding an atom's energy to the partial sums of one binade makes the same error each time, so that n copies of it err n times as much
    (see :mod:`mpcheck.checks.audit.reductions`): at most half a unit of the last digit of the sum for each.
    """
    total = copies * float(one[0])  # whether node energies add up to it is another matter
    size = copies * float(base.abs().sum())
    allowed = copies * len(base) * 2.0**-53 * size + copies * float(scale.sum())
    off = abs(float(energy[0]) - total)
    reason = f"{copies} cells have {float(energy[0]):.12g} eV, not {copies} times that of one, {total:.12g} eV"
    metrics = {"difference_eV": off, "allowed_eV": allowed}
    return case.finding(off / allowed if allowed else (0.0 if off == 0.0 else math.inf), variant="energy", reason=reason, metrics=metrics)
