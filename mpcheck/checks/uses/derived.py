"""What upstream's calculator gives besides results: the Hessian and descriptors, each of every head, against the model's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from mpcheck.adapters.calculator import model_type_of
from mpcheck.checks.physics.structure import Case, rms
from mpcheck.checks.uses import calculator
from mpcheck.checks.uses.asking import Difference, differences, flags_of, heads_of, outputs, scales, structures
from mpcheck.checks.uses.door import Door
from mpcheck.checks.uses.hessian import asked_of, members, relative_scale
from mpcheck.records.record import Record

OF_MODELS_OF_ENERGIES = "MACE"
"""Upstream's type of model that has both."""


def derived(case: Case) -> list[Record]:
    """One finding of each."""
    return [calculator.judge(case, variant, ASKED) for variant in ASKED]


def _hessian(door: Door) -> Iterator[Difference]:
    """Shape and order are the model's own: [3 atoms, atoms, 3]."""
    case = door.case
    if model_type_of(case.model) != OF_MODELS_OF_ENERGIES or not flags_of(case.model, compute_hessian=True):
        return
    frame = members(case)[0]
    graph = case.graph(frame)
    for number, head in list(enumerate(heads_of(case)))[: calculator.MOST_HEADS]:
        of_head = {**graph, "head": torch.full_like(graph["head"], number)} if "head" in graph else graph
        wanted = asked_of(case.model, of_head)
        if wanted is None:
            return
        found = torch.as_tensor(door.open(head=head).get_hessian(frame.copy()).copy())
        scale = {"hessian": torch.full_like(wanted.cpu(), relative_scale(case) * rms(wanted))}
        yield from _of_head(case, {"hessian": found}, {"hessian": wanted.cpu()}, scale, head)


def _descriptors(door: Door) -> Iterator[Difference]:
    """All features of all layers, and their scalars, which come first in each layer."""
    case = door.case
    widths = _layers(case.context.reference_backend.model)
    if model_type_of(case.model) != OF_MODELS_OF_ENERGIES or not widths:
        return
    frame, reference = structures(case)[0], case.context.reference_backend.model
    graph = case.graph(frame)
    features = outputs(case.model, graph)["node_feats"].cpu()
    if features.shape[1] != sum(total for _, total in widths):
        return
    scale = scales(case, lambda: {"node_feats": outputs(reference, graph)["node_feats"]}, "descriptors")["node_feats"].cpu()
    starts = [sum(total for _, total in widths[:i]) for i in range(len(widths))]
    scalars = torch.cat([torch.arange(start, start + count) for start, (count, _) in zip(starts, widths, strict=True)])
    calc = door.open()
    found = {
        "descriptors": torch.as_tensor(calc.get_descriptors(frame.copy(), invariants_only=False).copy()),
        "invariant descriptors": torch.as_tensor(calc.get_descriptors(frame.copy()).copy()),
    }
    wanted = {"descriptors": features, "invariant descriptors": features[:, scalars]}
    yield from differences(case, found, wanted, {"descriptors": scale, "invariant descriptors": scale[:, scalars]})


def _layers(model: torch.nn.Module) -> list[tuple[int, int]]:
    """Numbers of scalars and of all features that each layer gives, by its irreps; empty of a model that does not say."""
    products: Any = getattr(model, "products", None)
    irreps: list[Any] = [getattr(getattr(p, "linear", None), "irreps_out", None) for p in products or []]
    if not irreps or any(not hasattr(i, "dim") for i in irreps):
        return []
    return [(sum(mul for mul, ir in one if ir.l == 0), one.dim) for one in irreps]


def _of_head(
    case: Case, found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor], scale: Mapping[str, torch.Tensor], head: str
) -> Iterator[Difference]:
    several = len(heads_of(case)) > 1
    for row in differences(case, found, wanted, scale):
        yield Difference(f"{row.what} of head {head}" if several else row.what, row.ratio, row.limit, row.size)


ASKED: Mapping[str, calculator.Judge] = {"hessian": _hessian, "descriptors": _descriptors}
"""By variant."""
