"""Heads, charges and whatever else goes with a structure: each structure of a batch keeps its own.

Everywhere else a structure is alone, or all of a batch are alike, so that a head, or a charge, of the first structure would do for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from ase import Atoms

from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.load import LoadedModel
from mpcheck.checks.physics.structure import Case, Values, difference_ratio, evaluate, limit_of, noise, quantities
from mpcheck.records.record import Record
from mpcheck.systems.inputs import HEAD, ModelInput


def several(model: LoadedModel) -> bool:
    """Whether a model has more than one head."""
    return len(model.heads) > 1


def with_head(frame: Atoms, head: str) -> Atoms:
    """A copy for one head."""
    copy = frame.copy()
    copy.info[HEAD] = head
    return copy


def varied(frames: Sequence[Atoms], model: LoadedModel) -> list[Atoms]:
    """Copies that differ in head and in every number that goes with a structure: the first has the last head."""
    made = [frame.copy() for frame in frames]
    for index, frame in enumerate(made):
        if several(model):
            frame.info[HEAD] = model.heads[-1 - index % len(model.heads)]
        for entry in model.inputs:
            if not entry.per_atom and entry.width == 1:
                frame.info[entry.name] = _another(entry, index)
    return made


def _another(entry: ModelInput, index: int) -> float:
    """Of a class one after the other, beginning above the default; any other number half a unit apart."""
    if entry.least is None or entry.most is None:
        return entry.default + 0.5 * (index + 1)
    return float(entry.least + (int(entry.default) - entry.least + 1 + index) % (entry.most - entry.least + 1))


def heads(case: Case) -> list[Record]:
    """Every head alone against a batch that mixes them; its E0 against the model's table; whether heads differ at all."""
    names = case.context.model.heads
    frames = [with_head(case.atoms, name) for name in reversed(names)]
    graph = case.graph(*frames)
    out = evaluate(case.model, graph)
    together = quantities(out, graph)
    apart = []
    for frame in frames:
        single = case.graph(frame)
        apart.append(quantities(evaluate(case.model, single), single))
    scale = noise(case, graph, "heads")
    records = [_mixed(case, name, unit, together[name], [a[name] for a in apart], scale) for name, unit in UNITS.items()]
    return [*records, _isolated(case, graph, out, scale), _different(case, {f.info[HEAD]: a for f, a in zip(frames, apart, strict=True)}, scale)]


UNITS = {"energy": "eV", "node_energy": "eV", "forces": "eV_per_A"}


def _mixed(case: Case, name: str, unit: str, together: torch.Tensor, apart: list[torch.Tensor], scale: Values) -> Record:
    """Judged head by head, so that one that is off is not thinned out by the others."""
    rows = len(apart[0])
    names = list(reversed(case.context.model.heads))
    ratios = {h: difference_ratio(together[i * rows : (i + 1) * rows], apart[i], scale[name][i * rows : (i + 1) * rows]) for i, h in enumerate(names)}
    worst = max(ratios, key=lambda h: (ratios[h] != ratios[h], ratios[h]))
    i = names.index(worst)
    difference = float((together[i * rows : (i + 1) * rows] - apart[i]).abs().max())
    reason = f"{name.replace('_', ' ')} of head {worst} in a batch of all heads differs by {difference:.3g} {unit.replace('_per_', '/')} from its own"
    limit = limit_of(case, apart[0].numel())
    return case.finding(ratios[worst], limit=limit, variant=name, reason=reason, worst=f"head {worst}", metrics={f"difference_{unit}": difference})


def _isolated(case: Case, graph: Tensors, out: Values, scale: Values) -> Record:
    """What the energy has besides the interaction is the sum of E0 of the structure's own head."""
    reference = case.context.reference_backend.model
    interaction = out.get("interaction_energy")
    if interaction is None or hasattr(reference, "embedding_readout"):
        return case.finding(None, variant="E0", verdict="unsupported", reason="the model gives no energy of interaction apart from E0")
    table: torch.Tensor = torch.atleast_2d(reference.get_submodule("atomic_energies_fn").atomic_energies).to(graph["node_attrs"])
    own = (graph["node_attrs"] @ table.T)[torch.arange(len(graph["batch"])), graph["head"][graph["batch"]]]
    wanted = torch.zeros_like(out["energy"]).index_add_(0, graph["batch"], own)
    got = out["energy"] - interaction
    ratios = [difference_ratio(got[i : i + 1], wanted[i : i + 1], scale["energy"][i : i + 1]) for i in range(len(wanted))]
    worst = max(range(len(ratios)), key=lambda i: (ratios[i] != ratios[i], ratios[i]))
    head = list(reversed(case.context.model.heads))[worst]
    difference = float((got - wanted)[worst].abs())
    reason = f"E0 of head {head} is off by {difference:.3g} eV from the model's own table"
    return case.finding(
        ratios[worst], limit=limit_of(case, 1), variant="E0", reason=reason, worst=f"head {head}", metrics={"difference_eV": difference}
    )


def _different(case: Case, by_head: dict[str, Values], scale: Values) -> Record:
    """Two heads with parameters of their own give energies of their own; of a model whose heads are alike nothing more can be said."""
    names = list(by_head)
    alike = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if torch.equal(by_head[a]["node_energy"], by_head[b]["node_energy"])]
    metrics = {"alike": float(len(alike)), "heads": float(len(names))}
    if not alike:
        return case.finding(0.0, variant="difference", metrics=metrics)
    pair = f"heads {alike[0][0]} and {alike[0][1]} give the same node energies"
    if own := _parameters(case, *alike[0]):
        return case.finding(None, variant="difference", reason=f"{pair}, although they differ in {own}", metrics=metrics)
    return case.finding(None, variant="difference", verdict="inconclusive", metrics=metrics,
                        reason=f"{pair}: the model's heads do not differ, so that one in another's place would not show")  # fmt: skip


def _parameters(case: Case, one: str, other: str) -> str:
    """Where the model's own numbers of two heads differ, for the structure's elements; empty where nowhere."""
    model, names = case.context.reference_backend.model, case.context.model.heads
    i, j = names.index(one), names.index(other)
    graph = case.graph(case.atoms)
    present = (graph["node_attrs"].sum(0) > 0).cpu()
    tables: dict[str, torch.Tensor] = {"E0": torch.atleast_2d(model.get_submodule("atomic_energies_fn").atomic_energies)[:, present]}
    if hasattr(model, "scale_shift"):
        shift = model.get_submodule("scale_shift")
        tables |= {n: torch.atleast_1d(getattr(shift, n))[:, None] for n in ("scale", "shift")}
    differing = [n for n, t in tables.items() if len(t) == len(names) and not torch.equal(t[i], t[j])]
    return ", ".join([*differing, *_readouts(model, {k: t.to(case.context.reference_backend.device) for k, t in graph.items()}, i, j)])


def _readouts(model: torch.nn.Module, graph: Tensors, i: int, j: int) -> list[str]:
    """Readouts that give two heads other numbers, called by themselves on what the model gives them."""
    readouts = dict(model.get_submodule("readouts").named_children())
    inputs: Values = {}
    hooks = [r.register_forward_pre_hook(lambda _, args, name=n: inputs.update({name: args[0].detach()})) for n, r in readouts.items()]
    try:
        evaluate(model, graph, compute_force=False)
    finally:
        for hook in hooks:
            hook.remove()
    with torch.no_grad():
        out = {n: [readouts[n](x, torch.full((len(x),), h, device=x.device))[:, h] for h in (i, j)] for n, x in inputs.items()}
    return [f"readouts.{n}" for n, (a, b) in out.items() if not torch.equal(a, b)]


def every_head(case: Case, frame: Atoms) -> list[Case]:
    """The case for each head but the structure's own."""
    own = frame.info.get(HEAD, case.context.model.heads[0])
    return [replace(case, frame=with_head(frame, name), head=name) for name in case.context.model.heads if name != own]
