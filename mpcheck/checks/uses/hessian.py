"""The Hessian against differences of forces, on a small crystal: element by element, as forces are against differences of the energy.

On one graph, whose edges stay what they are, so that no atom crosses the cut-off on the way.
"""

from __future__ import annotations

import math

import torch
from ase import Atoms

from mpcheck.adapters.execution import Tensors
from mpcheck.checks.physics.forces import OFFSETS, SHRINK, SMOOTH, STEP, Derivatives, extrapolated, moved, stacked
from mpcheck.checks.physics.structure import Case, evaluate, noise, rms
from mpcheck.checks.uses.asking import differences, flags_of, judged, outputs, scales, structures
from mpcheck.records.record import Record

AXES = "xyz"


def hessian(case: Case) -> list[Record]:
    """Two findings: of one structure, against differences of its forces; of a batch, against those of its members."""
    if "compute_hessian" not in flags_of(case.model, compute_hessian=True):
        return [case.finding(None, verdict="unsupported", reason=f"{type(case.model).__name__} computes no Hessian")]
    graphs = [case.graph(frame) for frame in members(case)]
    alone = [asked_of(case.model, graph) for graph in graphs]
    if any(h is None for h in alone):
        return [case.finding(None, reason="the Hessian was asked for, and is not among the outputs")]
    found = [h for h in alone if h is not None]
    return [_numerical(case, graphs[0], found[0]), _batch(case, found)]


def members(case: Case) -> list[Atoms]:
    """Two crystals, of three atoms and of two: a Hessian takes a backward pass for each coordinate."""
    return [crystal[:size] for crystal, size in zip(structures(case), (3, 2), strict=True)]


def asked_of(model: torch.nn.Module, graph: Tensors) -> torch.Tensor | None:
    """A model's own Hessian."""
    return outputs(model, graph, compute_hessian=True).get("hessian")


def relative_scale(case: Case) -> float:
    """RMS rounding error of the Hessian of two atoms, of the reference backend, in units of the Hessian's own RMS."""
    graph, model = case.graph(members(case)[-1]), case.context.reference_backend.model
    value = {"hessian": outputs(model, graph, compute_hessian=True)["hessian"]}
    scale = scales(case, lambda: {"hessian": outputs(model, graph, compute_hessian=True)["hessian"]}, "hessian")
    return rms(scale["hessian"]) / (rms(value["hessian"]) or 1.0)


def force_derivatives(case: Case, graph: Tensors, sigma: float) -> Derivatives:
    """Derivatives of all forces by all coordinates, [coordinates, forces]."""
    count = graph["positions"].numel()
    axes = [torch.eye(count, dtype=torch.float64, device=case.device)[i].reshape(-1, 3) for i in range(count)]

    def at(step: float) -> Derivatives:
        copies = [moved(graph, axis * (step * offset), None) for axis in axes for offset in OFFSETS]
        forces = evaluate(case.model, stacked(copies))["forces"].reshape(count, len(OFFSETS), count)
        return extrapolated(forces, step, sigma)

    step = STEP
    numeric = at(step)
    while step > STEP / SHRINK**2 and bool((numeric.allowed > SMOOTH * numeric.value.abs().max()).any()):
        step /= SHRINK
        numeric = at(step)
    return numeric


def _numerical(case: Case, graph: Tensors, found: torch.Tensor) -> Record:
    count = graph["positions"].numel()
    if found.numel() != count**2:
        return case.finding(None, reason=f"the Hessian of {count} coordinates has the shape {list(found.shape)}")
    numeric = force_derivatives(case, graph, float(noise(case, graph, "hessian")["forces"].max()))
    analytic, expected, allowed = found.reshape(count, count), -numeric.value.T, numeric.allowed.T
    error = (analytic - expected).abs()
    share = (error / allowed).nan_to_num(nan=math.inf)
    row, column = divmod(int(share.argmax()), count)
    factor = float((analytic * expected).sum() / expected.square().sum())
    place = f"atom {row // 3}, {AXES[row % 3]} by atom {column // 3}, {AXES[column % 3]}"
    metrics: dict[str, float | str | bool] = {
        "largest_error_eV_per_A2": float(error.max()),
        "allowed_eV_per_A2": float(allowed[row, column]),
        "largest_eV_per_A2": float(expected.abs().max()),
        "factor": factor,
    }
    reason = (
        f"the Hessian is not the derivative of the forces: {float(analytic[row, column]):.9g} instead of {float(expected[row, column]):.9g} eV/Å^2"
    )
    reason += f" for {place} (all together {factor:.6g} times)" + ("; its sign is turned" if factor < 0 else "")
    return case.finding(float(share[row, column]), reason=reason, worst=place, metrics=metrics)


def _batch(case: Case, alone: list[torch.Tensor]) -> Record:
    """Its own block for each member, and zero between members: forces of one do not depend on where another is."""
    graph = case.graph(*members(case))
    count = graph["positions"].numel()
    found = asked_of(case.model, graph)
    found = found.reshape(count, count) if found is not None and found.numel() == count**2 else torch.zeros(0)
    expected = torch.block_diag(*(h.reshape(math.isqrt(h.numel()), -1) for h in alone))
    scale = torch.full_like(expected, relative_scale(case) * rms(expected))
    rows = list(differences(case, {"Hessian": found}, {"Hessian": expected}, {"Hessian": scale}))
    return judged(case, rows, "batch", "the {0.what} of a batch is not that of its members, by {0.size:.3g} eV/Å^2".format)
