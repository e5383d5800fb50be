"""What must not matter: that a call was made before, what memory held, and how a tensor lies in it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping

import torch
import torch.utils.deterministic

from mpcheck.adapters.backends import BackendModel
from mpcheck.adapters.execution import Run, Tensors
from mpcheck.adapters.upstream import quiet
from mpcheck.checks.metrics import widened
from mpcheck.checks.physics.structure import Case, difference_ratio, limit_of, noise, rms
from mpcheck.checks.scale import noise_scale
from mpcheck.findings import Finding
from mpcheck.formats import get_format
from mpcheck.reference.library import BlockReference
from mpcheck.tolerances import limits_for

CALLS = 20
WARM_UP = 3  # calls after which TorchScript has optimised what it runs


@contextlib.contextmanager
def poisoned() -> Iterator[None]:
    """Memory that nobody has written to reads as NaN; torch's flags are put back."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]
    try:
        with quiet():
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


def _soil(device: torch.device, sizes: list[int]) -> None:
    """Freed memory full of NaN for the allocator to hand out again."""
    held = [torch.full((n,), math.nan, dtype=torch.float64, device=device) for n in sizes for _ in range(2)]
    held.clear()


def forward_backward(model: torch.nn.Module, graph: Tensors) -> Tensors:
    """Energy, forces, and the energy's gradient by parameter."""
    data = {k: v.clone() for k, v in graph.items()}
    out = model(data, compute_force=False)
    named = {n: p for n, p in model.named_parameters() if p.requires_grad}
    wanted = [data["positions"], *named.values()]
    gradients = torch.autograd.grad(out["energy"].sum(), wanted, allow_unused=True)
    found = {"energy": out["energy"].detach(), "forces": torch.zeros_like(data["positions"]) if gradients[0] is None else -gradients[0]}
    return found | {f"gradient of {n}": g for n, g in zip(named, gradients[1:], strict=True) if g is not None}


def repeat(case: Case) -> list[Finding]:
    """Twenty calls, forward and backward: half with freed memory full of NaN, half with torch's own filling of new memory.

    On one thread of a CPU equal calls must give equal bits within each half (torch may choose other algorithms under its
    deterministic mode). Atomic additions are declared non-deterministic, on a GPU and in the CPU kernel of index_put as soon
    as there are two threads (the backward pass of gathering node features): there calls must agree within the noise scale.
    """
    graph = case.graph(case.atoms)
    warm = [forward_backward(case.model, graph) for _ in range(WARM_UP)]
    first = warm[-1]
    sizes = sorted({t.numel() for t in first.values()} | {graph["edge_index"].shape[1] * n for n in (1, 3, 16, 64)})
    scale = noise(case, graph)
    runs: list[Tensors] = []
    for _ in range(CALLS // 2):
        _soil(case.device, sizes)
        runs.append(forward_backward(case.model, graph))
    with poisoned():
        runs += [forward_backward(case.model, graph) for _ in range(CALLS - len(runs))]
    found = []
    for variant, group, base in (("dirty memory", runs[: CALLS // 2], first), ("filled memory", runs[CALLS // 2 :], runs[CALLS // 2])):
        found.append(_repeated(case, variant, group, base, scale, CALLS // 2 if base is not first else 0))
    early = [[_number(difference_ratio(call[n], first[n], scale[n])) for n in ("energy", "forces")] for call in warm]
    worst = max(range(WARM_UP), key=lambda i: max(early[i]))
    reason = f"call {worst + 1} of the process differs from call {WARM_UP} beyond noise: what a module keeps between calls changes its results"
    found.append(case.finding(max(early[worst]), limit=limit_of(case, 1), variant="first calls", reason=reason, worst=f"call {worst + 1}"))
    across = max(_number(difference_ratio(first[n], runs[-1][n], scale[n])) for n in ("energy", "forces"))
    reason = "energy or forces with poisoned memory differ from those without beyond noise"
    return [*found, case.finding(across, limit=limit_of(case, 1), variant="filled against plain", reason=reason)]


def _number(x: float) -> float:
    """NaN as infinity: ``max`` would pass over it."""
    return x if x == x else math.inf


def _repeated(case: Case, variant: str, runs: list[Tensors], base: Tensors, scale: Mapping[str, torch.Tensor], offset: int) -> Finding:
    """The first call and tensor that differ, if any."""
    different: list[tuple[int, str]] = []
    for i, run in enumerate(runs):
        different += [(i + offset + 1, n) for n in base if n not in run or not torch.equal(run[n], base[n])]
    ratios = [difference_ratio(run[n], base[n], scale[n]) for run in runs for n in ("energy", "forces")]
    worst, calls = max(map(_number, ratios)), len({i for i, _ in different})
    metrics: dict[str, float | str | bool] = {
        "calls": float(len(runs)),
        "calls_not_bit_identical": float(calls),
        "ratio": worst,
    }
    metrics["threads"] = float(torch.get_num_threads())
    if case.device.type == "cpu" and torch.get_num_threads() == 1:
        ratio, limit = (0.0 if not different else max(worst, math.nextafter(1.0, 2.0))), 1.0
    else:
        ratio, limit = worst, limit_of(case, 1)
    where = f"call {different[0][0]}, {different[0][1]}" if different else ""
    reason = f"{calls} of {len(runs)} equal calls differ, first {where}" + (" (NaN)" if math.isinf(worst) else "")
    return case.finding(ratio, limit=limit, variant=variant, reason=reason, worst=where, metrics=metrics)


def every_other(t: torch.Tensor) -> torch.Tensor:
    """The same values, every other element of a wider tensor of which the rest is NaN."""
    wide = torch.full((*t.shape[:-1], 2 * t.shape[-1]), -1 if not t.is_floating_point() else math.nan, dtype=t.dtype, device=t.device)
    wide[..., ::2] = t
    return wide[..., ::2]


def columns_first(t: torch.Tensor) -> torch.Tensor:
    """The same values with the last axis slowest in memory."""
    return t.movedim(-1, 0).contiguous().movedim(0, -1)


def one_row(t: torch.Tensor) -> torch.Tensor:
    """The first row for all rows, without copying it: stride 0. Integers stay."""
    return t[:1].expand_as(t) if t.is_floating_point() and t.shape[0] > 0 else t


LAYOUTS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "every other element": every_other,
    "columns first": columns_first,
    "expanded": one_row,
}


def strided(case: Case) -> list[Finding]:
    """Every block in float64 on inputs and cotangents that are not contiguous, against contiguous copies of the same values."""
    backend = case.context.backend(case.key.backend)
    assert not isinstance(backend, str), "checked before"
    library = case.context.library(case.key.system)
    blocks = [b for b in case.context.blocks(case.key.system) if not library.refused(b.name) and not backend.unsupported(b, get_format("float64"))]
    worst: dict[str, tuple[float, float, str, str]] = dict.fromkeys(LAYOUTS, (0.0, 1.0, "", ""))
    for block in blocks:
        reference = library.get(block.name)
        for layout in LAYOUTS:
            ratio, limit, name, error = _block(case, backend, reference, layout)
            if worst[layout][3] == "" and (error or ratio / limit > worst[layout][0] / worst[layout][1]):
                worst[layout] = (ratio, limit, f"{block.name}, {name}", error)
    return [
        case.finding(
            ratio, limit=limit, variant=layout, worst=place, metrics={"blocks": float(len(blocks))},
            reason=f"{place}: raised {error}" if error else f"{place} depends on how its inputs lie in memory ({layout})",
        )
        for layout, (ratio, limit, place, error) in worst.items()
    ]  # fmt: skip


def _block(case: Case, backend: BackendModel, reference: BlockReference, layout: str) -> tuple[float, float, str, str]:
    """The largest share of its limit among a block's outputs and gradients: ratio, limit, tensor, and what was raised."""
    change = LAYOUTS[layout]
    moved = {n: change(t) if t.dim() else t for n, t in reference.inputs.items()}
    cotangents = {c: {n: change(t) if t.dim() else t for n, t in by.items()} for c, by in reference.cotangents.items()}
    plain = {n: t.contiguous() for n, t in moved.items()}, {c: {n: t.contiguous() for n, t in by.items()} for c, by in cotangents.items()}
    base = _run(backend, reference, *plain)
    try:
        found = _run(backend, reference, moved, cotangents)
    except (RuntimeError, ValueError, IndexError) as error:
        return math.inf, 1.0, "its call", " ".join(str(error).split())[-200:]
    roundoff = backend.roundoff(reference.block, get_format("float64"))
    rms_limit = limits_for(case.context.tolerances, reference.block.name, backend.name, "float64", "forward").rms
    worst = (0.0, rms_limit, "out", "")
    for name, value in base.items():
        if torch.equal(found[name], value):
            continue
        limit, allowed = rms_limit, 0.0
        if name in reference.values:
            scale = noise_scale(reference.noise[name], reference.statistics[name], roundoff, reference.values[name])
            limit, allowed = widened(rms_limit, scale.spread), scale.rms
            if layout == "expanded" and rms(reference.values[name]) > 0:
                # other values than the reference's: the same relative noise; rows that are equal round alike and add up in sums
                rows = max(t.shape[0] for t in reference.inputs.values() if t.dim())
                allowed *= rms(value) / rms(reference.values[name]) * math.sqrt(rows)
        else:  # a parameter that only this backend has: no scale of its own, so bits decide
            limit = 1.0
        ratio = _number(rms(found[name] - value) / (math.sqrt(2.0) * allowed) if allowed > 0 else math.inf)
        if ratio / limit > worst[0] / worst[1]:
            worst = (ratio, limit, name, "")
    return worst


def _run(backend: BackendModel, reference: BlockReference, inputs: Tensors, cotangents: Mapping[str, Tensors]) -> Tensors:
    block = reference.block
    with backend.prepared(block, get_format("float64")):
        run = Run(lambda arguments: backend.call(block, arguments), reference.skeleton, inputs, backend.parameters(block), True)
        found = {n: t.detach() for n, t in run.outputs.items()}
        for case, by_output in cotangents.items():
            by_input, by_parameter = run.backward({n: c for n, c in by_output.items() if n in run.outputs}, retain=True)
            found.update({f"grad.{case}.{n}": g for n, g in by_input.items()})
            found.update({f"weight.{case}.{n}": g for n, g in backend.reference_gradients(block, by_parameter).items()})
        return found
