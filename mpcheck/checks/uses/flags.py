"""Flags of a model's forward: what else is asked for changes no output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from mpcheck.adapters.execution import Tensors
from mpcheck.checks.physics.structure import Case, Values, rms
from mpcheck.checks.uses import hessian
from mpcheck.checks.uses.asking import PARTS, STRAINED, Difference, differences, flags_of, generic, judged, outputs, scales
from mpcheck.records.record import Record

Flags = Mapping[str, bool]
EVERYTHING: Flags = {**STRAINED, **PARTS}
WANTED: Mapping[str, Flags] = {
    "the energy alone": {"compute_force": False},
    "forces": {},
    "virials": {"compute_virials": True},
    "stress": {"compute_stress": True},
    "a displacement": {"compute_displacement": True},
    "edge forces": {"compute_edge_forces": True},
    "edge forces and stress": {"compute_stress": True, "compute_edge_forces": True},
    "atomic stresses": {"compute_stress": True, **PARTS},
}
"""What is asked for, by upstream's flags. Forces are upstream's default."""
WITH_HESSIAN: Mapping[str, Flags] = {
    "a Hessian": {"compute_hessian": True},
    "a Hessian and stress": {"compute_hessian": True, "compute_stress": True},
    "a Hessian and edge forces": {"compute_hessian": True, "compute_edge_forces": True},
}
ASKED_BY = {
    "forces": "compute_force", "virials": "compute_virials", "stress": "compute_stress", "edge_forces": "compute_edge_forces",
    "atomic_virials": "compute_atomic_stresses", "atomic_stresses": "compute_atomic_stresses", "hessian": "compute_hessian",
}  # fmt: skip
"""The flag of each output that has one; others come always."""
ALWAYS = ("energy", "node_energy", "interaction_energy", "contributions", "node_feats")


def flags(case: Case) -> list[Record]:
    """Every output, whatever else is asked for, against the same with everything else asked for; a Hessian on a small structure."""
    if not flags_of(case.model, **EVERYTHING):
        return [case.finding(None, verdict="unsupported", reason=f"{type(case.model).__name__} takes no flags")]
    rows = list(_compared(case, generic(case), EVERYTHING, WANTED))
    records = [judged(case, rows, "", _told)]
    if flags_of(case.model, compute_hessian=True):
        small = case.graph(hessian.members(case)[-1])
        rows = list(_compared(case, small, {**EVERYTHING, "compute_hessian": True}, {**WANTED, **WITH_HESSIAN}))
        records.append(judged(case, rows, "Hessian", _told))
    return records


def _told(worst: Difference) -> str:
    return f"{worst.what} is not what it is with everything asked for, by {worst.size:.3g}"


def _compared(case: Case, graph: Tensors, everything: Flags, wanted: Mapping[str, Flags]) -> Iterator[Difference]:
    base = outputs(case.model, graph, **flags_of(case.model, **everything))
    reference = case.context.reference_backend.model
    without = {n: v for n, v in everything.items() if n != "compute_hessian"}
    scale = scales(case, lambda: outputs(reference, graph, **flags_of(reference, **without)), "flags", *wanted)
    if "hessian" in base:
        scale["hessian"] = torch.full_like(base["hessian"], hessian.relative_scale(case) * rms(base["hessian"]))
    for what, chosen in wanted.items():
        if flags_of(case.model, **chosen) == chosen:
            expected = _expected(base, scale, {"compute_force": True, **chosen})
            for row in differences(case, outputs(case.model, graph, **chosen), expected, scale):
                yield Difference(f"{row.what}, with {what} asked for,", row.ratio, row.limit, row.size)


def _expected(base: Values, scale: Values, given: Flags) -> Values:
    """Outputs that these flags ask for."""
    return {n: v for n, v in base.items() if n in scale and (n in ALWAYS or given.get(ASKED_BY.get(n, ""), False))}
