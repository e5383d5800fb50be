"""Dipoles, charges and polarizabilities of the models that have them: sums over atoms, translation, rotation, derivatives.

A dipole is that of its charges, ``sum q r``, and of the atoms' own dipoles. Upstream's models of dipoles take charges from the structure and
give Debye; its dielectric model predicts charges and gives e Å.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import torch
from ase import Atoms
from scipy.constants import c, e

from mpcheck.adapters.execution import Tensors
from mpcheck.checks.physics.forces import OFFSETS, STEP, extrapolated, moved
from mpcheck.checks.physics.graph_strides import frames_of
from mpcheck.checks.physics.structure import Case, Values
from mpcheck.checks.uses.asking import Difference, differences, judged, outputs, scales, weight
from mpcheck.records.record import Record

DEBYE = 1e-11 / c / e
"""e Å in one Debye: 0.2082."""
SHIFT = (1.5, -0.7, 2.2)  # Å
KNOWN = ("dipole", "atomic_dipoles", "charges", "polarizability")
DERIVATIVES = {"dmu_dr": "dipole", "dalpha_dr": "polarizability"}


def multipoles(case: Case) -> list[Record]:
    """Findings by what must hold of two charged molecules in a batch."""
    graph = _graph(case)
    out = outputs(case.model, graph)
    if "dipole" not in out:
        return [case.finding(None, verdict="unsupported", reason=f"{type(case.model).__name__} gives no dipole")]
    records = [judged(case, list(_sums(case, graph, out)), "sums", "the {0.what} are not what they are defined to be, by {0.size:.3g}".format)]
    for name, rows in (
        ("translation", _translated(case, graph, out)),
        ("rotation", _turned(case, graph, out, 1)),
        ("inversion", _turned(case, graph, out, -1)),
    ):
        told = f"the {{0.what}} does not follow a{'n' if name == 'inversion' else ''} {name} of the structure, by {{0.size:.3g}}"
        records.append(judged(case, list(rows), name, told.format))
    return records + list(_derivatives(case))


def _graph(case: Case, count: int = 2) -> Tensors:
    elements = case.context.model.elements
    (first,) = frames_of(case)["molecule"]
    second = Atoms([elements[i % len(elements)] for i in range(len(first))], first.positions[:, ::-1] * 1.04)
    graph = case.graph(*(second, first)[:count])
    charges = weight(graph["positions"][:, 0], "charges")
    total = torch.arange(1, count + 1, dtype=torch.float64, device=case.device)
    return {**graph, **{n: v for n, v in (("charges", charges), ("total_charge", total)) if n in graph}}


def _total(rows: torch.Tensor, graph: Tensors) -> torch.Tensor:
    count = graph["ptr"].numel() - 1
    return torch.zeros(count, *rows.shape[1:], dtype=rows.dtype, device=rows.device).index_add_(0, graph["batch"], rows)


def _of_charges(out: Values, graph: Tensors) -> tuple[torch.Tensor, torch.Tensor]:
    """Dipoles [graphs, 3] of charges, and net charges [graphs], both in the model's units; charges that it predicts go before those given."""
    charges = out["charges"] if "charges" in out else graph["charges"] / DEBYE
    return _total(graph["positions"] * charges[:, None], graph), _total(charges, graph)


def _scale(case: Case, graph: Tensors, *key: object) -> Values:
    return scales(case, lambda: outputs(case.context.reference_backend.model, graph), "multipoles", *key)


def _sums(case: Case, graph: Tensors, out: Values) -> Iterator[Difference]:
    """Totals and their parts; a polarizability is symmetric."""
    scale, wanted, found = dict(_scale(case, graph)), {}, {}
    if "atomic_dipoles" in out:
        found["dipole"], wanted["dipole"] = out["dipole"], _total(out["atomic_dipoles"], graph) + _of_charges(out, graph)[0]
    if "charges" in out:
        found["net charge"], wanted["net charge"] = _total(out["charges"], graph), graph["total_charge"]
        scale["net charge"] = _total(scale["charges"].square(), graph).sqrt()
    if "polarizability" in out:
        found["polarizability"], wanted["polarizability"] = out["polarizability"], out["polarizability"].transpose(1, 2)
    yield from differences(case, found, wanted, scale)


def _translated(case: Case, graph: Tensors, out: Values) -> Iterator[Difference]:
    shift = torch.tensor(SHIFT, dtype=torch.float64, device=case.device)
    there = {**graph, "positions": graph["positions"] + shift}
    wanted = {n: out[n] for n in KNOWN if n in out}
    wanted["dipole"] = out["dipole"] + _of_charges(out, graph)[1][:, None] * shift
    yield from differences(case, outputs(case.model, there), wanted, _both(_scale(case, graph), _scale(case, there, "translated")))


def _both(one: Values, other: Values) -> Values:
    """Positions far from the origin round more."""
    return {n: torch.maximum(s, other[n]) for n, s in one.items() if n in other}


def _turned(case: Case, graph: Tensors, out: Values, sign: int) -> Iterator[Difference]:
    """Under a proper rotation, or an improper one."""
    turn, _ = torch.linalg.qr(weight(torch.zeros(3, 3, dtype=torch.float64, device=case.device), "rotation"))
    turn = turn * torch.linalg.det(turn).sign() * sign
    there = {**graph, **{n: graph[n] @ turn.T for n in ("positions", "shifts", "cell")}}
    wanted = {n: out[n] for n in KNOWN if n in out}
    wanted |= {n: out[n] @ turn.T for n in ("dipole", "atomic_dipoles") if n in out}
    wanted |= {"polarizability": turn @ out["polarizability"] @ turn.T} if "polarizability" in out else {}
    scale = {
        n: torch.full_like(s, float(s.square().mean().sqrt())) for n, s in _both(_scale(case, graph), _scale(case, there, "turned", sign)).items()
    }
    yield from differences(case, outputs(case.model, there), wanted, scale)


def _derivatives(case: Case) -> Iterator[Record]:
    """Derivatives by positions against differences, along one direction of all atoms."""
    if "compute_dielectric_derivatives" not in inspect.signature(case.model.forward).parameters:
        return
    graph = _graph(case, 1)
    out = outputs(case.model, graph, compute_dielectric_derivatives=True)
    direction = weight(graph["positions"], "direction")
    scale = _scale(case, graph, "one")
    for name, of in DERIVATIVES.items():
        if of not in out:
            continue
        if name not in out or out[name].numel() != out[of].numel() * direction.numel():
            yield case.finding(None, variant=name, reason=f"{name} was asked for, and is not among the outputs in the shape of its definition")
            continue
        analytic = (out[name].reshape(-1, *direction.shape) * direction).sum((1, 2))
        values = torch.stack([outputs(case.model, moved(graph, direction * (STEP * o), None))[of].flatten() for o in OFFSETS])
        numeric = extrapolated(values[None], STEP, float(scale[of].max()))
        error = (analytic - numeric.value[0]).abs()
        ratio = float((error / numeric.allowed[0]).max())
        reason = f"{name} is not the derivative of the {of}, by {float(error.max()):.3g} of {float(numeric.value.abs().max()):.3g}"
        yield case.finding(ratio, variant=name, reason=reason, worst=of)
