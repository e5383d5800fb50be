"""The stress of a structure without periodicity: it has no volume, so that zero, a number that is none, or a refusal is all that is right."""

from __future__ import annotations

import torch

from mpcheck._raised import Raised, attempt
from mpcheck.checks.physics.graph_strides import frames_of
from mpcheck.checks.physics.structure import Case
from mpcheck.checks.uses.asking import flags_of, outputs
from mpcheck.records.record import Record


def aperiodic_stress(case: Case) -> list[Record]:
    """Stress of a molecule whose positions stress it, as upstream's neighbour list hands it over."""
    wanted = flags_of(case.model, compute_force=True, compute_stress=True)
    if "compute_stress" not in wanted:
        return [case.finding(None, verdict="unsupported", reason=f"{type(case.model).__name__} computes no stress")]
    graph = case.graph(*frames_of(case)["molecule"])
    out = attempt(lambda: outputs(case.model, graph, **wanted))
    if isinstance(out, Raised) or "stress" not in out:
        return [case.finding(0.0, metrics={"refused": True})]
    stress = out["stress"]
    size = float(stress[torch.isfinite(stress)].abs().max()) if bool(torch.isfinite(stress).any()) else 0.0
    used = float(torch.linalg.det(graph["cell"].reshape(-1, 3, 3)[0]).abs())
    reason = f"a structure without periodicity has a stress of {size:.3g} eV/Å^3: its virial over a volume that it does not have"
    reason += f" ({used:.6g} Å^3, of the neighbour search)" if "virials" in out else ""
    return [case.finding(0.0 if size == 0.0 else None, reason=reason, metrics={"largest_eV_per_A3": size})]
