"""Upstream's ML-IAP interface to LAMMPS against the model itself: energies, forces and virial of every head, in float64 and in float32.

The structure is cut in two domains with ghosts, see :mod:`mpcheck.adapters.ghosts`. LAMMPS adds up forces and the virial from what the
interface gives for each pair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.facts.architecture import mirrored as inverted
from mpcheck.adapters.ghosts import PASSED, mirrored, run_with_ghosts, unsupported, with_ghosts
from mpcheck.checks.physics.structure import Case, Values, evaluate
from mpcheck.checks.uses.asking import Difference, differences, heads_of, judged, rounded, scales, structures
from mpcheck.checks.uses.calculator import MOST_HEADS
from mpcheck.checks.uses.door import same
from mpcheck.formats import FLOAT32, FLOAT64
from mpcheck.judge.replay import arithmetic
from mpcheck.records.record import Record
from mpcheck.reference.whole_noise import ROUNDOFF

IMAGE = "mirror image"
DIFFERENT = 1e3
"""Noise scales of float64 between the energies of a structure and of its image, where a model tells them apart."""


def mliap(case: Case) -> list[Record]:
    """A finding of each head in float64, and of the last in float32."""
    reason = unsupported(case.model)
    missing = [entry.name for entry in case.context.model.inputs if entry.name not in PASSED]
    if missing and not reason:
        reason = f"upstream's ML-IAP interface passes no {', '.join(missing)}, which the model takes"
    if reason:
        return [case.finding(None, verdict="unsupported", reason=reason)]
    heads = list(enumerate(heads_of(case)))[:MOST_HEADS]
    found = [*(_judge(case, n, head, FLOAT64.name) for n, head in heads), _judge(case, *heads[-1], FLOAT32.name)]
    return found if inverted(case.model) else [*found, _mirror(case)]


def truth(model: torch.nn.Module, graph: Tensors) -> Values:
    """Energy [1], node_energy [atoms], forces [atoms, 3] and the virial [3, 3], of the ordinary graph."""
    out = {name: value.detach() for name, value in evaluate(model, graph, compute_virials=True).items() if isinstance(value, torch.Tensor)}
    return {"energy": out["node_energy"].sum()[None], "node_energy": out["node_energy"], "forces": out["forces"], "virial": out["virials"][0]}


def handed(model: torch.nn.Module, graph: Tensors) -> Values:
    """The truth of what LAMMPS hands over: vectors from each atom to its neighbours, where MACE's are from neighbours to the atom. That is the
    mirror image of a structure, which a model that follows inversion gives the same energies.
    """
    if inverted(model):
        return truth(model, graph)
    turned = truth(model, mirrored(graph))
    return {**turned, "forces": -turned["forces"]}


def _mirror(case: Case) -> Record:
    """Of a model that knows left from right, whether the interface computes the structure or its image."""
    graph = case.graph(structures(case)[0])
    one, other = handed(case.model, graph)["energy"], truth(case.model, graph)["energy"]
    off = float((one - other).abs())
    known = scales(case, lambda: truth(case.context.reference_backend.model, graph), "ML-IAP", "0")["energy"]
    if off <= DIFFERENT * float(known.max()):
        return case.finding(None, variant=IMAGE, verdict="pass")
    reason = (
        f"the ML-IAP interface computes the mirror image of a structure, whose energy is another by {off:.3g} eV: the model is built with use_so3"
    )
    return case.finding(None, variant=IMAGE, reason=reason)


def _judge(case: Case, number: int, head: str, dtype: str) -> Record:
    variant = ", ".join(p for p in (f"head {head}" if len(heads_of(case)) > 1 else "", dtype) if p)
    rows = attempt(lambda: list(_rows(case, number, head, dtype)))
    if isinstance(rows, Raised):
        return case.finding(None, variant=variant, reason=f"the ML-IAP interface raised {rows.text}")
    return judged(case, rows, variant, _told)


def _told(w: Difference) -> str:
    return f"the ML-IAP interface's {w.what} is not the model's" + (f", by {w.size:.3g}" if math.isfinite(w.size) else "")


def _rows(case: Case, number: int, head: str, dtype: str) -> Iterator[Difference]:
    reference = case.context.reference_backend.model
    graph = case.graph(structures(case)[0])
    graph |= {"head": torch.full_like(graph["head"], number)} if "head" in graph else {}
    named = head if len(case.context.model.heads) > 1 else ""
    scale = scales(case, lambda: truth(reference, graph), "ML-IAP", str(number))
    if dtype == FLOAT64.name:
        found, wanted = run_with_ghosts(case.model, with_ghosts(graph), named), handed(case.model, graph)
    else:
        backend = case.context.backend(case.key.backend)
        assert not isinstance(backend, Unsupported), "checked before"
        low = {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in graph.items()}
        with backend.prepared(WHOLE, FLOAT32), arithmetic(FLOAT32, case.device):
            found = run_with_ghosts(case.model, with_ghosts(low), named)
        with replaced(case.model, rounded):
            wanted = handed(case.model, {k: rounded(v) for k, v in graph.items()})
        scale = {n: s * (FLOAT32.u / ROUNDOFF) for n, s in scale.items()}
    yield from differences(case, found, wanted, scale)
    # LAMMPS takes doubles in both: what was computed in float32 is a number that float32 holds
    narrow = torch.equal(rounded(found["pair_forces"]), found["pair_forces"])
    yield same(narrow == (dtype == FLOAT32.name), f"pair forces, which were not computed in {dtype},")
