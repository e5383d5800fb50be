"""Forces, virials and stresses against finite differences of the energy.

Central differences at three steps h, h/2, h/4, extrapolated twice after Richardson: with ``D(h) = D + c h^2 + O(h^4)``,
``R(h) = (4 D(h/2) - D(h)) / 3`` has an error ``O(h^4)``, of which the next extrapolation shows fifteen times what is left
(Press et al., Numerical Recipes, section 5.7). What a derivative may be off is therefore computed: ``|R(h/2) - R(h)|`` of
truncation plus six standard deviations of the rounding noise of the energies, carried through the differences. Where the terms
in h^4 and h^6 happen to cancel in that difference, it says nothing (one of some hundred derivatives; measured: an error 1.07 times
the sum of both): so no direction is taken to be better known than a fifteenth of the worst estimate, the worst one's own error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from mpcheck.adapters.execution import Tensors
from mpcheck.checks.physics.structure import SIGMAS, SKIN, Case, degenerate, energies, evaluate, noise, with_cell
from mpcheck.records.record import Record
from mpcheck.reference.noise import seed_of

STEP = 0.005  # Å, and 1 for strain: at hco's curvature truncation and rounding are then both near 1e-9 of a force
SHRINK = 8.0
SMOOTH = 1e-5  # of the largest derivative: truncation above it calls for a smaller step
LEFT = 15.0  # times what is left of the truncation after the last extrapolation is what it showed
COORDINATES = 6
SEEN = 1e-3  # the smallest relative error that must not escape; a structure that cannot resolve it concludes nothing
VALUES_AT_ONCE = 3_000_000  # edges times weights per edge, of displaced copies evaluated in one batch: some hundred MB
OFFSETS = (1.0, -1.0, 0.5, -0.5, 0.25, -0.25)


@dataclass(frozen=True)
class Derivatives:
    """Numerical derivatives of the energy along several directions: values, and how far each may be off."""

    value: torch.Tensor
    allowed: torch.Tensor


def moved(graph: Tensors, displacement: torch.Tensor | None, strain: torch.Tensor | None) -> Tensors:
    """The graph of one structure with atoms displaced [atoms, 3] or the whole strained [3, 3]; its edges stay what they are."""
    positions, cell = graph["positions"], graph["cell"]
    if displacement is not None:
        positions = positions + displacement
    if strain is not None:
        one = torch.eye(3, dtype=torch.float64, device=positions.device)
        positions, cell = positions @ (one + strain), cell @ (one + strain)
    return {**graph, "positions": positions, "cell": cell, "shifts": graph["unit_shifts"] @ cell}


def stacked(copies: list[Tensors]) -> Tensors:
    """One batch of graphs of one structure each."""
    atoms = copies[0]["positions"].shape[0]
    graph: Tensors = {k: torch.cat([c[k] for c in copies]) for k in copies[0] if k not in ("edge_index", "batch", "ptr")}
    graph["edge_index"] = torch.cat([c["edge_index"] + atoms * i for i, c in enumerate(copies)], dim=1)
    device = graph["positions"].device
    graph["batch"] = torch.arange(len(copies), device=device).repeat_interleave(atoms)
    graph["ptr"] = torch.arange(len(copies) + 1, device=device) * atoms
    return graph


def energies_of(model: torch.nn.Module, copies: list[Tensors]) -> torch.Tensor:
    """Energies [copies] in eV, as many copies in a batch as fit."""
    width = max([int(p.shape[-1]) for p in model.parameters() if p.dim() == 2], default=1)  # the radial MLP's last layer: weights per edge
    at_once = max(1, VALUES_AT_ONCE // max(1, copies[0]["edge_index"].shape[1] * width))
    parts = [copies[i : i + at_once] for i in range(0, len(copies), at_once)]
    return torch.cat([evaluate(model, stacked(part), compute_force=False)["energy"] for part in parts])


def derivatives(model: torch.nn.Module, graph: Tensors, directions: list[torch.Tensor], strain: bool, sigma: float) -> Derivatives:
    """DE along each direction, by extrapolated central differences.

    Args:
        graph: of one structure, with edges somewhat beyond r_max.
        directions: displacements [atoms, 3] or strains [3, 3].
        sigma: standard deviation of one energy's rounding error in eV.
    """
    numeric = _at(model, graph, directions, strain, sigma, STEP)
    step = STEP
    while step > STEP / SHRINK**2 and bool((numeric.allowed > SMOOTH * numeric.value.abs().max()).any()):
        # a steep structure: the step is beyond the range of its Taylor series, where the estimate of truncation means nothing
        step /= SHRINK
        numeric = _at(model, graph, directions, strain, sigma, step)
    return numeric


def _at(model: torch.nn.Module, graph: Tensors, directions: list[torch.Tensor], strain: bool, sigma: float, step: float) -> Derivatives:
    copies = [moved(graph, None if strain else d * (step * o), d * (step * o) if strain else None) for d in directions for o in OFFSETS]
    return extrapolated(energies_of(model, copies).reshape(len(directions), len(OFFSETS)), step, sigma)


def extrapolated(values: torch.Tensor, step: float, sigma: float) -> Derivatives:
    """Derivatives by extrapolated central differences.

    Args:
        values: [directions, offsets, …] of what is differentiated, displaced by a step times each of the OFFSETS.
        sigma: standard deviation of the rounding error of one value.
    """
    pairs = values.unflatten(1, (len(OFFSETS) // 2, 2))
    steps = torch.tensor([step, step / 2, step / 4], dtype=torch.float64, device=values.device)
    central = (pairs[:, :, 0] - pairs[:, :, 1]) / (2 * steps).reshape(-1, *[1] * (values.dim() - 2))
    once = (4 * central[:, 1:] - central[:, :-1]) / 3
    rounding = sigma / math.sqrt(2.0) * math.hypot(4 / 3 / float(steps[2]), 1 / 3 / float(steps[1]))
    truncation = (once[:, 1] - once[:, 0]).abs()
    return Derivatives(once[:, 1], torch.maximum(truncation, truncation.max() / LEFT) + SIGMAS * rounding)


def _directions(case: Case, forces: torch.Tensor) -> tuple[list[str], list[torch.Tensor]]:
    """Some coordinates, spread over the structure, and one random direction that moves every atom."""
    generator = torch.Generator().manual_seed(seed_of("directions", case.context.seed, case.key.system))
    count = forces.numel()
    chosen = torch.randperm(count, generator=generator)[:COORDINATES]
    names, directions = [], []
    for index in chosen.tolist():
        one = torch.zeros(count, dtype=torch.float64)
        one[index] = 1.0
        names.append(f"atom {index // 3}, {'xyz'[index % 3]}")
        directions.append(one.reshape(forces.shape).to(forces.device))
    whole = torch.randn(forces.shape, dtype=torch.float64, generator=generator).to(forces.device)
    return [*names, "a random direction of all atoms"], [*directions, whole / whole.norm()]


def _judge(case: Case, what: str, unit: str, analytic: torch.Tensor, numeric: Derivatives, names: list[str], variant: str = "") -> Record:
    """Analytic against numerical derivatives."""
    error = (analytic - numeric.value).abs()
    share = error / numeric.allowed
    index = int(share.nan_to_num(nan=math.inf).argmax())
    size = float(numeric.value.abs().max())
    factor = float((analytic * numeric.value).sum() / numeric.value.square().sum()) if size > 0 else math.nan
    metrics: dict[str, float | str | bool] = {
        f"largest_error_{unit}": float(error.max()),
        f"allowed_{unit}": float(numeric.allowed[index]),
        f"largest_{unit}": size,
        "factor": factor,
    }
    reason = (
        f"{what} is not the derivative of the energy: {float(analytic[index]):.9g} instead of {float(numeric.value[index]):.9g} along {names[index]}"
    )
    reason += f" (all together {factor:.6g} times)" if math.isfinite(factor) else ""
    reason += "; its sign is turned" if factor < 0 else ""
    return case.finding(float(share[index]), variant=variant, reason=reason, worst=names[index], metrics=metrics)


def finite_difference(case: Case) -> list[Record]:
    """Forces, as a user gets them, against the energy's differences."""
    graph = case.graph(case.atoms)
    forces = evaluate(case.model, graph)["forces"]
    names, directions = _directions(case, forces)
    wide = with_cell(case.graph(case.atoms, skin=SKIN), case.atoms)
    numeric = derivatives(case.model, wide, directions, False, float(noise(case, graph)["energy"].max()))
    analytic = -torch.stack([(forces * d).sum() for d in directions])
    record = _judge(case, "-force", "eV_per_A", analytic, numeric, names)
    resolution = float(numeric.allowed.max())
    reason = degenerate(case, graph, forces, resolution / SEEN)
    if record.verdict == "pass" and reason:
        record = record.model_copy(update={"verdict": "inconclusive", "reason": reason})
    return _with_cause([record], case, graph, wide)


def _with_cause(records: list[Record], case: Case, graph: Tensors, wide: Tensors) -> list[Record]:
    """Name why a derivative fails where edges beyond r_max change the energy: it jumps whenever an atom crosses the cut-off.

    A sound model's edges there contribute zero, so that only the order of sums differs, far below the smallest fault that
    the derivatives must see.
    """
    failed = [f for f in records if f.verdict == "fail"]
    if not failed:
        return records
    jump = float((energies(case.model, wide) - energies(case.model, graph)).abs().max())
    allowed = SIGMAS * math.sqrt(2.0) * float(noise(case, graph)["energy"].max())
    if not jump > allowed:
        return records
    cause = f"; edges up to {SKIN} Å beyond r_max change the energy by {jump:.3g} eV: no envelope takes it to zero at the cut-off"
    return [f.model_copy(update={"reason": f.reason + cause}) if f in failed else f for f in records]


def _strains(device: torch.device) -> tuple[list[str], list[torch.Tensor]]:
    """All six symmetric strains, the isotropic one first: its derivative is -3 times pressure times volume."""
    names, strains = ["isotropic strain (pressure)"], [torch.eye(3, dtype=torch.float64) / math.sqrt(3.0)]
    for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        one = torch.zeros(3, 3, dtype=torch.float64)
        one[i, j] = one[j, i] = 1.0 if i == j else math.sqrt(0.5)
        names.append(f"strain {'xyz'[i]}{'xyz'[j]}")
        strains.append(one)
    return names, [s.to(device) for s in strains]


def stress(case: Case) -> list[Record]:
    """Virials (-dE/dstrain) against strain differences; stress and pressure, where a direction is periodic, with the
    structure's own volume.
    """
    frame = case.atoms
    graph = case.graph(frame)
    out = evaluate(case.model, graph, compute_virials=True, compute_stress=True)
    names, strains = _strains(case.device)
    wide = with_cell(case.graph(frame, skin=SKIN), frame)
    numeric = derivatives(case.model, wide, strains, True, float(noise(case, graph)["energy"].max()))

    def along(tensor: torch.Tensor) -> torch.Tensor:
        return torch.stack([(tensor[0] * s).sum() for s in strains])

    records = [_judge(case, "-virial", "eV", -along(out["virials"]), numeric, names, "virial")]
    volume = float(abs(np.linalg.det(np.array(frame.cell))))
    if bool(np.any(frame.pbc)) and volume > 0:
        periodic = "periodic" if bool(np.all(frame.pbc)) else "mixed-pbc"
        per_volume = Derivatives(numeric.value / volume, numeric.allowed / volume)
        judged = _judge(case, "stress", "eV_per_A3", along(out["stress"]), per_volume, names, periodic)
        if judged.verdict == "fail":
            judged = judged.model_copy(update={"reason": judged.reason + _volume(out, graph, volume)})
        records.append(judged)
    for i, one in enumerate(records):
        if one.verdict == "pass" and float(numeric.value.abs().max()) <= float(numeric.allowed.max()) / SEEN:
            records[i] = one.model_copy(update={"verdict": "inconclusive", "reason": "degenerate: the energy hardly depends on strain"})
    return _with_cause(records, case, graph, wide)


def _volume(out: dict[str, torch.Tensor], graph: Tensors, volume: float) -> str:
    """Whether a wrong stress is the right virial over another volume: that of the cell in which neighbours were searched."""
    used = float(torch.linalg.det(graph["cell"].reshape(-1, 3, 3)[0]).abs())
    expected = -out["virials"] / used
    if math.isclose(used, volume, rel_tol=1e-9) or not torch.allclose(out["stress"], expected, rtol=1e-12, atol=0.0):
        return ""
    return f"; it is the virial over {used:.6g} Å^3, the volume of the neighbour search, not over the cell's {volume:.6g} Å^3"
