"""Ghost atoms: a model run as LAMMPS runs it, in domains that exchange features, gives what it gives on the ordinary graph.

No other check has ghosts: only under LAMMPS are there atoms that lack features of their own, whose messages are not wanted, and
whose gradients belong to somebody else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.ghosts import PASSED, Domains, interaction_classes, mirrored, run_with_ghosts, unsupported, with_ghosts
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.steps import edge_vectors
from mpcheck.checks.physics.structure import DRAWS, Case, Values, difference_ratio, evaluate, limit_of
from mpcheck.checks.physics.watching import Watched, consumer, watched
from mpcheck.checks.symmetry.conversions import structure
from mpcheck.judge.context import Context
from mpcheck.judge.metrics import bits_digest
from mpcheck.records.record import Record
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.noise import seed_of
from mpcheck.reference.whole_noise import ROUNDOFF
from mpcheck.systems.inputs import HEAD

FORWARD, BACKWARD = "forward", "backward"
_scales: WeakKeyDictionary[Context, dict[tuple[str, str], Values]] = WeakKeyDictionary()


@dataclass(frozen=True)
class GhostComparison:
    """One quantity: what it is called, who is to blame, by how much it differs, and what is allowed."""

    name: str
    block: str
    ratio: float
    limit: float


def ghosts(case: Case) -> list[Record]:
    """Features, energy and forces with ghosts and exchange against those of the ordinary graph, forward and backward apart."""
    reason = unsupported(case.model)
    if reason:
        return [case.finding(None, reason=reason, verdict="unsupported")]
    missing = [entry.name for entry in case.context.model.inputs if entry.name not in PASSED]
    if missing:
        return [
            case.finding(None, reason=f"upstream's ML-IAP interface passes no {', '.join(missing)}, which the model takes", verdict="unsupported")
        ]
    graph = case.graph(case.atoms)
    return compare(case, case.model, graph, _scale(case, graph), case.atoms.info.get(HEAD, case.context.model.heads[0]))


def ghost_classes(case: Case) -> list[Record]:
    """As :func:`ghosts`, of a model of two small interactions of each of upstream's classes: which of them a maintainer
    changes does not depend on the model that is tested.
    """
    frame = structure(("H", "O"), case.context.seed)
    frame.set_cell([3.1, 3.3, 3.5])
    frame.pbc = True
    records = []
    for name in interaction_classes():
        model = build_model(_architecture(name)).to(case.device)
        graph = {k: v.to(case.device) for k, v in make_graph([frame], ["H", "O"], 3.0).items()}
        scale = measure(model, mirrored(graph), seed_of("ghosts", case.context.seed, name))
        reason = unsupported(model)
        records += (
            [case.finding(None, variant=name, reason=reason, verdict="unsupported")] if reason else compare(case, model, graph, scale, "", name)
        )
    return records


def _architecture(interaction: str) -> Architecture:
    """Two layers, because the first exchanges nothing; three channels (odd); correlation 1, because the product is not asked about."""
    return Architecture(
        schema_version=1, name="ghosts", elements=["H", "O"], atomic_energies={"H": -1.5, "O": -2.5}, r_max=3.0, num_bessel=3, max_ell=1,
        hidden_irreps="3x0e + 3x1o", MLP_irreps="2x0e", correlation=1, num_interactions=2, interaction_cls=interaction,
        interaction_cls_first=interaction, radial_MLP=[5], avg_num_neighbors=7.3, atomic_inter_scale=0.7, weights_seed=3,
    )  # fmt: skip


def _scale(case: Case, graph: Tensors) -> Values:
    """Noise of the reference backend, measured once for all."""
    held = _scales.setdefault(case.context, {})
    place = (case.key.system, bits_digest(graph["positions"]))
    if place not in held:
        held[place] = measure(case.context.reference_backend.model, mirrored(graph), seed_of("ghosts", case.context.seed, case.key.system))
    return held[place]


def ordinary(model: torch.nn.Module, graph: Tensors) -> tuple[Values, Watched]:
    """A model without ghosts: its outputs, and what its blocks returned; the energy is the sum of node energies, which LAMMPS forms."""
    with watched(model) as seen:
        out = evaluate(model, graph)
    return {**out, "energy": out["node_energy"].sum().reshape(1)}, seen


def _quantities(out: Values, seen: Watched) -> Values:
    """By name: ``energy``, ``node_energy``, ``forces``, blocks, and ``gradient by BLOCK``."""
    return {**{k: out[k] for k in ("energy", "node_energy", "forces")}, **seen.outputs, **{f"gradient by {k}": g for k, g in seen.gradients.items()}}


def measure(model: torch.nn.Module, graph: Tensors, seed: int) -> Values:
    """RMS rounding error in float64 of every quantity, element by element, under Monte Carlo arithmetic."""

    def values() -> Values:
        return _quantities(*ordinary(model, graph))

    return deviation(disturbed(values), values(), [seed_of(seed, draw) for draw in range(DRAWS)])


def compare(case: Case, model: torch.nn.Module, graph: Tensors, scale: Values, head: str, name: str = "") -> list[Record]:
    """Two findings: what the forward pass computes, and what the backward pass does.

    Args:
        scale: see :func:`measure`; of the mirrored graph.
        head: empty for the model's only one.
        name: put before the findings' variants.
    """
    domains = with_ghosts(graph)
    variant = {w: f"{name} {w}".strip() for w in (FORWARD, BACKWARD)}
    metrics: dict[str, float | str | bool] = {"atoms": float(domains.local), "ghosts": float(domains.ghosts)}
    if domains.ghosts == 0:
        reason = "degenerate: no atom has a neighbour in another half or cell, so that there are no ghosts"
        return [case.finding(None, variant=variant[FORWARD], reason=reason, verdict="inconclusive", metrics=metrics)]
    out, expected = ordinary(model, mirrored(graph))
    base = {**out, "forces": -out["forces"]}
    with watched(model) as seen:
        outputs = attempt(lambda: run_with_ghosts(model, domains, head))
    if isinstance(outputs, Raised):
        return [_broken(case, seen, expected, domains, outputs, variant[FORWARD], metrics)]
    judged = {
        FORWARD: [_judge(case, k, k, seen.outputs.get(k), v, scale) for k, v in _local(expected.outputs, domains).items()]
        + [_judge(case, k, k, outputs[k], base[k], scale) for k in ("node_energy", "energy")],
        BACKWARD: [
            _judge(case, f"gradient by {k}", consumer(k, list(expected.outputs)), seen.gradients.get(k), v, scale)
            for k, v in _local(expected.gradients, domains).items()
        ]
        + [_judge(case, "forces", "forces", outputs["forces"], base["forces"], scale)],
    }
    edges = _edges(graph)
    return [_finding(case, [edges, *rows], variant[which], metrics) for which, rows in judged.items()]


def _edges(graph: Values) -> GhostComparison:
    """Edge vectors of the ordinary graph against the definition: LAMMPS hands them over, so that a fault in them is in no interaction.

    A difference and a sum of three numbers round twice, each by a unit roundoff of what they add up in size at most.
    """
    positions, (sender, receiver), shifts = graph["positions"], graph["edge_index"], graph["shifts"]
    vectors, _ = edge_vectors(positions, graph["edge_index"], shifts)
    size = positions[sender].abs() + positions[receiver].abs() + shifts.abs()
    off = (vectors - (positions[receiver] - positions[sender] + shifts)).abs()
    worst = float((off / (ROUNDOFF * size).clamp_min(torch.finfo(torch.float64).tiny)).max()) if off.numel() else 0.0
    return GhostComparison("edge vectors", "edge_vectors", math.inf if math.isnan(worst) else worst, 4.0)


def _local(values: Values, domains: Domains) -> Values:
    """Those of local atoms that an interaction or what follows it makes: before that, ghosts have features as well."""
    return {k: v for k, v in values.items() if k.startswith(("interactions", "products", "readouts")) and v.shape[0] == domains.local}


def _judge(case: Case, name: str, block: str, computed: torch.Tensor | None, expected: torch.Tensor, scale: Values) -> GhostComparison:
    if computed is None or computed.shape != expected.shape:
        return GhostComparison(
            f"{name} {'is missing' if computed is None else f'has {computed.shape[0]} rows, not {expected.shape[0]}'}", block, math.inf, 1.0
        )
    ratio = difference_ratio(computed, expected, scale[name])
    return GhostComparison(name, block.partition(" ")[0], math.inf if math.isnan(ratio) else ratio, limit_of(case, expected.numel()))


def _finding(case: Case, rows: list[GhostComparison], variant: str, metrics: dict[str, float | str | bool]) -> Record:
    """Blames the first in the order of the computation that is off; where none is, shows the largest."""
    off = [r for r in rows if not r.ratio <= r.limit]
    chosen = off[0] if off else max(rows, key=lambda r: r.ratio / r.limit)
    others = f", and {len(off) - 1} quantities that follow" if len(off) > 1 else ""
    told = "of the ordinary graph are not what they are defined to be" if chosen.name == "edge vectors" else "differs from the ordinary graph's"
    reason = f"{chosen.block}: with ghost atoms {chosen.name} {told}{others}"
    return case.finding(
        chosen.ratio, limit=chosen.limit, variant=variant, worst=f"{chosen.block}, {chosen.name}", reason=reason, metrics=metrics, block=chosen.block
    )


def _broken(
    case: Case, seen: Watched, expected: Watched, domains: Domains, error: Raised, variant: str, metrics: dict[str, float | str | bool]
) -> Record:
    """Upstream raised: blame the first block that returned another number of rows than that of local atoms, else the one that ran."""
    local = _local(expected.outputs, domains)
    wrong = [k for k, v in seen.outputs.items() if k in local and v.shape[0] != domains.local]
    said = error.text
    if wrong:
        block = wrong[0].partition(" ")[0]
        reason = f"{block}: returned {seen.outputs[wrong[0]].shape[0]} rows for {domains.local} local atoms and {domains.ghosts} ghosts, then {said}"
    else:
        block = seen.entered[-1] if seen.entered else "the model"
        reason = f"{block}: raised {said}, with ghost atoms"
    return case.finding(None, variant=variant, worst=block, reason=reason, metrics=metrics, block="" if block == "the model" else block)
