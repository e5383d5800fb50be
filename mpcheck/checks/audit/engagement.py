"""Engagement audit: which implementation really ran in each cell, and whether it is the one that was asked for.

Two ways not to run a kernel are silent upstream: the converter builds the fused convolution on CUDA only, and
cuEquivariance falls back to its naive method with a warning. A backend that has become e3nn agrees with the reference to
the last bit, which no error bound can object to; so the calls of what computes are counted, and the results compared with
e3nn's own bit by bit.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import torch

from mpcheck._cuda import CUDA
from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.engagement import NAIVE, Implementation, implementations, never_called
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import WHOLE, Block
from mpcheck.adapters.execution import Run
from mpcheck.checks.audit.cells import observed_cell
from mpcheck.checks.audit.dtypes import cells_of, declared
from mpcheck.checks.audit.observing import Observation, arguments_in, observe, watch
from mpcheck.checks.symmetry.moved import has_stress, properties
from mpcheck.formats import FLOAT64, Format
from mpcheck.judge.context import Context, Inspection, Key, timed
from mpcheck.judge.refusing import raised, refused
from mpcheck.judge.replay import arithmetic
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.records.verdicts import Verdict
from mpcheck.reference.library import BlockReference

NAME = "engagement"
WHOLE_MODEL = "model"
DRAWS = 8
"""A rounding that differs one time in ten shows in two dozen numbers, eight times drawn, but for one run in hundreds of millions."""
_FALLBACK = re.compile(r"fall(?:s|ing|en)?[ -]?back", re.IGNORECASE)


def keys(context: Context) -> list[Key]:
    """Every cell of the smallest system; and the whole model on backends whose own code cannot be told by its package."""
    cells = cells_of(NAME, context, [fmt.name for fmt in context.formats])
    unmarked = [name for name in context.backend_names if _unmarked(context.backend(name))]
    system = min(context.systems, key=lambda name: context.systems[name].atoms)
    return [*cells, *(Key(NAME, WHOLE_MODEL, name, FLOAT64.name, system) for name in unmarked)]


def _unmarked(backend: BackendModel | Unsupported) -> bool:
    return not isinstance(backend, Unsupported) and backend.name != REFERENCE_BACKEND and not backend.packages and backend.differs


def run_whole(context: Context, key: Key) -> list[Record]:
    """Whether the whole model on a backend has e3nn's very bits: another implementation's roundings show somewhere in energy or forces.

    That blocks have them says nothing: most of another backend's may be e3nn's own. A patch of e3nn that existing models do not see has them all.
    """
    backend, own = context.backend(key.backend), context.reference_backend
    assert not isinstance(backend, Unsupported)  # see keys
    if (module := backend.module(WHOLE)) is None:
        return [refused(key.about, Unsupported("not-applicable", f"{key.backend} has no whole model"))]
    graph = {n: t.to(context.device) for n, t in context.graph(key.system).items()}
    stress = has_stress(context.systems[key.system].frames)
    found = attempt(lambda: properties(module, graph, stress))
    if isinstance(found, Raised):
        return [raised(key.about, found)]
    true = properties(own.model, graph, stress)
    same = all(n in found and torch.equal(found[n], t) for n, t in true.items())
    reason = f"{key.backend} computes nothing: energy and forces of the whole model have {own.name}'s very bits, a difference of exactly 0"
    return [Record(**key.about, verdict="degraded" if same else "pass", reason=reason if same else "", lacking=key.backend if same else "")]


def shortcomings(backend: BackendModel, block: Block, fmt: Format, seen: Observation, present: list[Implementation], same: bool) -> list[str]:
    """Why what ran is not what was asked for, worst first; empty where it is."""
    replaced = backend.substitute(block)
    reasons = [f"{block.name}: {replaced}"] if replaced else []
    if seen.error is None:
        missed = never_called(backend.module(block), seen.calls, backend.packages)
        reasons += [f"{block.name}: {missed}"] if missed else []
        if same and backend.rounds_otherwise(block, fmt):
            reasons.append(f"{block.name}: error against e3nn exactly 0: same bits in every output")
    reasons += [f"{block.name}: warned {text!r}" for text in seen.warnings if _FALLBACK.search(text)]
    return reasons


def _implementation(present: list[Implementation], packages: Collection[str]) -> str:
    accelerated = [i for i in present if i.package in packages]
    methods = sorted({i.method or i.class_name for i in accelerated})
    return "+".join(methods) if methods else "+".join(sorted({i.class_name for i in present})) or "function"


def _explain(present: list[Implementation], backend: BackendModel, block: Block) -> str:
    """What ran, in words."""
    accelerated = [i for i in present if i.package in backend.packages]
    if not accelerated:
        return "" if backend.name == REFERENCE_BACKEND else f"{backend.name} leaves it to {_implementation(present, backend.packages)}"
    asked = sorted({i.asked for i in accelerated if i.asked and i.asked != i.method})
    where = "on a CPU: naive" if backend.device.type == "cpu" and any(i.method == NAIVE for i in accelerated) else ""
    return where + (f" ({', '.join(asked)} has no CPU kernel)" if where and asked else "")


def judge(backend: BackendModel, block: Block, fmt: Format, seen: Observation, same: bool) -> tuple[Verdict, str, str]:
    """Verdict, reason, and the capability that is missing, of one cell."""
    present = implementations(backend.module(block), backend.packages)
    reasons = shortcomings(backend, block, fmt, seen, present, same) if backend.name != REFERENCE_BACKEND else []
    if reasons:
        return "degraded", reasons[0], backend.name
    return "pass", _explain(present, backend, block), backend.lacking(block)


@timed
def run(context: Context, key: Key) -> list[Record]:
    """One cell."""
    if key.subject == WHOLE_MODEL:
        return run_whole(context, key)
    cell = observed_cell(context, key)
    if isinstance(cell, Record):
        return [cell]
    backend, reference, fmt, seen = cell.backend, cell.reference, cell.fmt, cell.seen
    block = reference.block
    own = context.reference_backend
    same = (
        backend.name != own.name
        and len(seen.digests) > 0
        and seen.digests == observe(context, key.system, own, reference, fmt, declared(own, block, fmt)).digests
        and (not backend.rounds_otherwise(block, fmt) or not differ_on_other_numbers(backend, own, reference, fmt))
    )
    verdict, reason, missing = judge(backend, block, fmt, seen, same)
    present = implementations(backend.module(block), backend.packages)
    metrics: dict[str, float | str | bool | list[str] | None] = {
        "implementation": _implementation(present, backend.packages),
        "classes": sorted({i.class_name for i in present}),
        "methods": sorted({f"{i.path}: asked {i.asked}, runs {i.method} ({i.kernel})" for i in present if i.method}),
        "fused convolution": any(i.fused for i in present),
        "scripted": any(i.scripted for i in present),
        "warnings": seen.warnings[:5],
    }
    if seen.calls:  # a step is a function, which the run itself called
        metrics["calls"] = float(sum(seen.calls.values()))
    if backend.device.type == "cuda" and seen.error is None and any(i.package in backend.packages for i in present):
        metrics["kernels"] = profiled_kernels(backend, reference, fmt)
    if backend.name != own.name:
        metrics["same bits as e3nn"] = same
    return [Record(**cell.base, verdict=verdict, reason=reason, lacking=missing, detail=figures(metrics))]


def differ_on_other_numbers(backend: BackendModel, own: BackendModel, reference: BlockReference, fmt: Format) -> bool:
    """Whether two backends that agree to the last bit do so by chance, as on the few numbers of a diatomic molecule: on other arguments of the
    same shapes they do not.
    """
    nothing = frozenset[torch.dtype]()
    for draw in range(DRAWS):
        first, second = (watch(each, reference, fmt, nothing, backward=False, draw=draw) for each in (backend, own))
        if first.digests != second.digests:
            return True
    return False


def kernel_names(events: Iterable[Any]) -> list[str]:
    """Names of the device kernels among a profiler's events, most frequent first."""
    names = Counter(str(e.name) for e in events if str(getattr(e, "device_type", "")).endswith("CUDA") and not str(e.name).startswith("Mem"))
    return [name for name, _ in names.most_common(12)]


def profiled_kernels(backend: BackendModel, reference: BlockReference, fmt: Format) -> list[str]:
    """The device kernels of one forward pass of a block, by torch's profiler."""
    tensors = arguments_in(reference, backend, lambda t: t.to(fmt.storage))
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with backend.prepared(reference.block, fmt), arithmetic(fmt, backend.device), torch.profiler.profile(activities=activities) as profile:
        Run(lambda arguments: backend.call(reference.block, arguments), reference.skeleton, tensors, {}, False)
        CUDA.synchronize(backend.device)
    return kernel_names(profile.events() or ())


INSPECTION = Inspection(NAME, keys, run)
