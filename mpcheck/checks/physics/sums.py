"""Sum rules: node energies, atomic virials, net force and torque, and a batch against its members."""

from __future__ import annotations

import numpy as np
import torch
from ase import Atoms

from mpcheck.checks.physics.heads import varied
from mpcheck.checks.physics.structure import Case, Values, difference_ratio, evaluate, limit_of, noise, quantities, rms
from mpcheck.records.record import Record

AXES = "xyz"


def node_energies(case: Case) -> list[Record]:
    """Node energies add up to the energy, E0 included; atomic virials to the virial."""
    graph = case.graph(case.atoms)
    values = quantities(evaluate(case.model, graph), graph)
    scale = noise(case, graph)
    # the tensors are summed here once more, so that two roundings of the sum meet
    energy = values["energy"]
    ratio = difference_ratio(energy - values["closure"], energy, scale["closure"])
    reference = case.context.reference_backend.model.get_submodule("atomic_energies_fn")
    e0 = reference(graph["node_attrs"].to(case.context.reference_backend.device)).detach()
    metrics = {"difference_eV": float(values["closure"].abs().max()), "E0_sum_eV": float(e0.sum()), "scale_eV": rms(scale["closure"])}
    reason = f"node energies do not add up to the energy: {float(values['closure'][0]):.9g} eV are left of {float(values['energy'][0]):.9g} eV"
    sums = case.finding(ratio, limit=limit_of(case, 1), reason=reason, metrics=metrics)
    if sums.verdict == "pass" and not float(e0.abs().max()) > 0:
        sums = sums.model_copy(update={"verdict": "inconclusive", "reason": "degenerate: every E0 is zero, so that a lost E0 would not show"})
    return [sums, _atomic_virials(case)]


def _atomic_virials(case: Case) -> Record:
    graph = case.graph(case.atoms)
    try:
        out = evaluate(case.model, graph, compute_virials=True, compute_atomic_stresses=True)
    except TypeError as error:  # models without edge forces
        return case.finding(None, variant="atomic virials", verdict="unsupported", reason=f"no atomic virials: {error}")
    if "atomic_virials" not in out:
        return case.finding(None, variant="atomic virials", verdict="unsupported", reason="the model returns no atomic virials")
    total, virial = out["atomic_virials"].sum(0), out["virials"][0]
    ratio = difference_ratio(total, virial, noise(case, graph)["virials"][0])
    factor = float((total * virial).sum() / virial.square().sum()) if float(virial.abs().max()) > 0 else 0.0
    reason = f"atomic virials do not add up to the virial (together {factor:.6g} times it)" + ("; their sign is turned" if factor < 0 else "")
    metrics = {"difference_eV": float((total - virial).abs().max()), "largest_virial_eV": float(virial.abs().max())}
    return case.finding(ratio, limit=limit_of(case, 6), variant="atomic virials", reason=reason, metrics=metrics)


def net_force(case: Case) -> list[Record]:
    """The energy does not depend on where the origin is: forces add up to zero."""
    return [_vanishing(case, "net", "net force", "eV_per_A")]


def torque(case: Case) -> list[Record]:
    """Nor on how the axes lie: without periodicity forces have no torque."""
    return [_vanishing(case, "torque", "torque", "eV")]


def _vanishing(case: Case, name: str, what: str, unit: str) -> Record:
    graph = case.graph(case.atoms)
    values = quantities(evaluate(case.model, graph), graph)
    scale = noise(case, graph)
    value = values[name][0]
    ratio = rms(value) / rms(scale[name]) if rms(scale[name]) > 0 else (0.0 if rms(value) == 0.0 else float("inf"))
    axis = int(value.abs().nan_to_num(nan=float("inf")).argmax())
    metrics = {
        f"{name}_{unit}": float(value.abs().max()),
        f"scale_{unit}": rms(scale[name]),
        "largest_force_eV_per_A": float(values["forces"].abs().max()),
    }
    reason = f"{what} along {AXES[axis]} is {float(value[axis]):.3g} {unit.replace('_per_', '/')} instead of zero within {rms(scale[name]):.1g}"
    judged = case.finding(ratio, limit=limit_of(case, 3), reason=reason, worst=AXES[axis], metrics=metrics)
    if judged.verdict == "pass" and not float(values["forces"].abs().max()) > 1e3 * rms(scale["forces"]):
        return judged.model_copy(update={"verdict": "inconclusive", "reason": "degenerate: every force is below a thousand times its noise"})
    return judged


def members(case: Case) -> list[Atoms]:
    """Structures of unequal size, edges and periodicity: the structure, a displaced and reordered copy, a part, one atom."""
    frame = case.atoms
    rng = np.random.default_rng([case.context.seed, len(frame)])
    other = frame[::-1]
    other.positions += rng.normal(0, 0.05, other.positions.shape)
    return varied([frame, _opened(frame, 1), other, _opened(frame, max(1, len(frame) // 2))], case.context.model)


def _opened(frame: Atoms, count: int) -> Atoms:
    """The first atoms, without a cell."""
    part = frame[:count]
    part.set_cell(np.zeros((3, 3)))
    part.pbc = False
    return part


def batch(case: Case) -> list[Record]:
    """Energies, node energies and forces of a batch against those of its members one by one."""
    frames = members(case)
    graph = case.graph(*frames)
    together = quantities(evaluate(case.model, graph), graph)
    apart = []
    for frame in frames:
        single = case.graph(frame)
        apart.append(quantities(evaluate(case.model, single), single))
    scale = noise(case, graph, "batch")
    records = []
    for name, unit in (("energy", "eV"), ("node_energy", "eV"), ("forces", "eV_per_A")):
        alone = torch.cat([a[name] for a in apart])
        records.append(_compare(case, name, unit, together[name], alone, scale, len(frames)))
    return records


def _compare(case: Case, name: str, unit: str, together: torch.Tensor, alone: torch.Tensor, scale: Values, graphs: int) -> Record:
    ratio = difference_ratio(together, alone, scale[name])
    difference = (together - alone).abs().reshape(together.shape[0], -1).amax(1)
    row = int(difference.nan_to_num(nan=float("inf")).argmax())
    worst = f"{'graph' if together.shape[0] == graphs else 'atom'} {row}"
    size = f"{float(difference[row]):.3g} {unit.replace('_per_', '/')}"
    reason = f"{name.replace('_', ' ')} of {worst} in a batch of {graphs} differs by {size} from its own"
    metrics = {f"difference_{unit}": float(difference.max()), "bit_identical": bool(torch.equal(together, alone))}
    return case.finding(ratio, limit=limit_of(case, together.numel()), variant=name, reason=reason, worst=worst, metrics=metrics)
