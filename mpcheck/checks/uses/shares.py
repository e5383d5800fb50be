"""Parts of a whole model's outputs, by atom, edge, contribution and strain, add up to the whole."""

from __future__ import annotations

import numpy as np
import torch

from mpcheck.adapters.execution import Tensors
from mpcheck.checks.physics.structure import Case, Values
from mpcheck.checks.uses.asking import PARTS, STRAINED, Difference, asked, differences, flags_of, generic, judged, outputs, scales, structures
from mpcheck.records.record import Record


def balances(out: Values, graph: Tensors, volumes: torch.Tensor) -> dict[str, tuple[torch.Tensor, torch.Tensor, str]]:
    """Pairs of tensors that must be equal, and what they are in words, of the outputs that there are.

    Args:
        volumes: [graphs] in Å^3.
    """
    batch, (sender, receiver) = graph["batch"], graph["edge_index"]
    count, atoms = len(volumes), len(batch)

    def total(rows: torch.Tensor, index: torch.Tensor = batch, size: int = count) -> torch.Tensor:
        return torch.zeros(size, *rows.shape[1:], dtype=rows.dtype, device=rows.device).index_add_(0, index, rows)

    found: dict[str, tuple[torch.Tensor, torch.Tensor, str]] = {}
    virials, stress = out.get("virials"), out.get("stress")
    if virials is not None:
        found["virials"] = (virials, virials.transpose(1, 2), "virials are not symmetric")
        if stress is not None:
            found["stress"] = (stress, -virials / volumes[:, None, None], "stress is not minus the virial over the cell's volume")
    if (edge := out.get("edge_forces")) is not None:
        vectors = graph["positions"][receiver] - graph["positions"][sender] + graph["shifts"]
        by_atom = total(edge, sender, atoms) - total(edge, receiver, atoms)
        found["edge_forces"] = (by_atom, out["forces"], "edge forces do not add up to the forces")
        if virials is not None:
            moments = torch.einsum("ei,ej->eij", edge, vectors)
            by_graph = -total((moments + moments.transpose(1, 2)) / 2, batch[sender])
            found["edge_virials"] = (by_graph, virials, "edge forces and vectors do not add up to the virial")
    if (own := out.get("atomic_virials")) is not None and virials is not None:
        found["atomic_virials"] = (total(own), virials, "atomic virials do not add up to the virial")
        if (share := out.get("atomic_stresses")) is not None:
            found["atomic_stresses"] = (
                share,
                -own / volumes[batch][:, None, None],
                "atomic stresses are not minus atomic virials over the cell's volume",
            )
            if stress is not None:
                found["sum_of_atomic_stresses"] = (total(share), stress, "atomic stresses do not add up to the stress")
    return found


def per_atom(case: Case) -> list[Record]:
    """Virials, stresses, edge forces and atomic virials of a batch of crystals of unequal volume, against each other and the cells."""
    wanted = flags_of(case.model, **STRAINED, **PARTS)
    if not wanted:
        return [case.finding(None, verdict="unsupported", reason=f"{type(case.model).__name__} computes no virials")]
    graph, reference = generic(case), case.context.reference_backend.model
    volumes = torch.tensor([abs(np.linalg.det(np.array(f.cell))) for f in structures(case)], dtype=torch.float64, device=case.device)
    found = balances(outputs(case.model, graph, **wanted), graph, volumes)
    scale = scales(case, lambda: {n: v[0] for n, v in balances(outputs(reference, graph, **wanted), graph, volumes).items()}, "per atom")
    left, right = {n: v[0] for n, v in found.items()}, {n: v[1] for n, v in found.items()}
    expected = [n for n in ("virials", "stress", "edge_forces", "edge_virials", "atomic_virials", "atomic_stresses") if n in scale and n not in found]
    records = [case.finding(None, variant=n, reason=f"{n} is asked for and not among the outputs") for n in expected]
    for name, (_, _, said) in found.items():
        (row,) = differences(case, {name: left[name]}, {name: right[name]}, scale) if name in scale else (Difference(name, 0.0, 1.0),)
        factor = float((left[name] * right[name]).sum() / right[name].square().sum()) if bool(right[name].any()) else float("nan")
        records.append(judged(case, [row], name, lambda w, said=said, factor=factor: f"{said}, by {w.size:.3g} (all together {factor:.6g} times)"))  # type: ignore[misc]
    return records


def parts(case: Case) -> list[Record]:
    """Energies of a batch whose graphs go to different heads: node energies, contributions, and E0 beside the interaction energy, add up."""
    graph, reference = generic(case), case.context.reference_backend.model
    wanted = flags_of(case.model, compute_force=False)

    def sums(model: torch.nn.Module) -> dict[str, torch.Tensor]:
        out = outputs(model, graph, **wanted)
        if "energy" not in out:
            return {}
        total = torch.zeros_like(out["energy"])
        made = {"node energies": total.index_add(0, graph["batch"], out["node_energy"].to(total))} if "node_energy" in out else {}
        if "contributions" in out:
            made["contributions"] = out["contributions"].sum(-1)
        if "interaction_energy" in out and not hasattr(model, "embedding_readout"):
            table = torch.atleast_2d(reference.atomic_energies_fn.atomic_energies)  # type: ignore[union-attr]  # upstream's buffer
            heads = graph["head"][graph["batch"]] if "head" in graph else torch.zeros_like(graph["batch"])
            e0 = table[heads, graph["node_attrs"].argmax(1)]
            made["interaction energy and E0"] = out["interaction_energy"] + total.index_add(0, graph["batch"], e0)
        return {**made, "energy": out["energy"]}

    found = sums(case.model)
    if not found:
        return [case.finding(None, verdict="unsupported", reason=f"{type(case.model).__name__} computes no energy")]
    scale = scales(case, lambda: sums(reference), "parts")
    energy = found.pop("energy")
    rows = list(differences(case, found, dict.fromkeys(found, energy), scale))
    return (
        [judged(case, rows, "", "{0.what} do not add up to the energy: {0.size:.3g} eV are left".format)]
        if rows
        else [case.finding(None, verdict="unsupported", reason=f"{type(case.model).__name__} gives no parts of the energy")]
    )


def displacement(case: Case) -> list[Record]:
    """The energy's derivative by the strain that forward returns, as exports take it, against minus the virial."""
    if "compute_displacement" not in flags_of(case.model, compute_displacement=True):
        return [case.finding(None, verdict="unsupported", reason=f"{type(case.model).__name__} takes no displacement")]
    graph, reference = generic(case), case.context.reference_backend.model

    def derivative(model: torch.nn.Module) -> dict[str, torch.Tensor]:
        out = asked(model, graph, compute_force=False, compute_displacement=True)
        (gradient,) = torch.autograd.grad(out["energy"].sum(), out["displacement"])
        return {"derivative by the displacement": gradient, "displacement": out["displacement"].detach()}

    found = derivative(case.model)
    virials = outputs(case.model, graph, **STRAINED)["virials"]
    expected = {"derivative by the displacement": -virials, "displacement": torch.zeros_like(virials)}
    rows = list(differences(case, found, expected, scales(case, lambda: derivative(reference), "displacement")))
    return [judged(case, rows, "", "the {0.what} is not what it must be (minus the virial; zero), by {0.size:.3g}".format)]
