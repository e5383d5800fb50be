"""What surrounds the blocks: process-wide flags, default dtypes that constructors leave behind, and autocast's reach."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch

from mpcheck import _torch_state
from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.engagement import scripted
from mpcheck.adapters.backends.protocol import BackendModel, get_backend, place, unavailable
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.construction import DtypeChanges
from mpcheck.adapters.execution import Run
from mpcheck.checks.audit.counting import CountingMode, DtypeCounts, name_of
from mpcheck.checks.audit.observing import arguments_in, default_dtype_watched
from mpcheck.formats import FLOAT32, FLOAT64
from mpcheck.judge.refusing import raised, refused
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.reference.library import BlockReference

PROCESS, CONSTRUCTION, AUTOCAST = "process", "construction", "autocast"


def process_finding(check: str, device: torch.device, left_behind: Sequence[str] = ()) -> Record:
    """Flags that lower the precision of every block: TF32, autocast, a 16-bit default dtype. Torch's own defaults pass.

    They are what surrounds the session, whose work itself runs without them: a user's own process has them.

    Args:
        left_behind: what loading the model changed of them.
    """
    state = _torch_state.surrounding()
    flags, lowered = state.flags(), state.float32.lowered()
    faults = [f"loading the model changed process-wide state: {'; '.join(left_behind)}"] if left_behind else []
    if lowered or state.float32.matmul != "highest":
        told = f"allow_tf32 {flags['cuda_matmul_allow_tf32']}, float32_matmul_precision {state.float32.matmul}"
        faults.append(f"TF32 is on: {', '.join([told, *lowered])}")
    if device.type in state.autocast:
        faults.append(f"autocast is on for {device.type}")
    if flags["default_dtype"] not in (FLOAT32.name, FLOAT64.name):
        faults.append(f"the default dtype is {flags['default_dtype']}")
    kinds = [k for k in ("fp16", "bf16") if flags[f"{k}_reduced_precision_reduction"]]
    note = f"CUDA may add partial sums of {' and '.join(kinds)} products in that type (torch's default)" if kinds else ""
    metrics: dict[str, float | str | bool | list[str] | None] = {k: v for k, v in flags.items() if isinstance(v, (bool, str))}
    return Record(check=check, subject=PROCESS, verdict="fail" if faults else "pass", reason="; ".join(faults) or note, detail=figures(metrics))


def construction_findings(check: str, backend: str, device: torch.device) -> list[Record]:
    """Build, or convert, a small model under a float32 default dtype, and see which default is left."""
    left: list[torch.dtype] = []
    base: dict[str, Any] = {"check": check, "subject": CONSTRUCTION, "backend": backend}
    if why := unavailable(get_backend(backend), place(get_backend(backend), device).type):
        return [refused(base, why)]
    build, what = get_backend(backend).construction()
    with default_dtype_watched(left.append):
        torch.set_default_dtype(torch.float32)
        leaked: list[torch.dtype] = []
        with default_dtype_watched(leaked.append), DtypeChanges() as changes:
            model = attempt(build)
    if isinstance(model, Raised):
        return [raised(base, model)]
    types = sorted({name_of(t.dtype) for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()})
    metrics: dict[str, float | str | bool | list[str] | None] = {"types": list(types), "set_default_dtype calls": float(len(changes.calls))}
    if leaked:
        reason = f"{what} leaves the default dtype at {name_of(leaked[0])} instead of float32: set by {changes.last()}"
        return [Record(**base, verdict="fail", reason=reason, detail=figures(metrics))]
    return [Record(**base, verdict="pass", reason=f"{what} leaves the default dtype as it was", detail=figures(metrics))]


def autocast_finding(check: str, system: str, backend: BackendModel, reference: BlockReference) -> Record:
    """Run a float32 block under bfloat16 autocast: which matrix products it reached, and whether TorchScript hides any."""
    block: Block = reference.block
    base: dict[str, Any] = {"check": check, "subject": block.name, "backend": backend.name, "format": AUTOCAST, "system": system}
    counts = DtypeCounts(frozenset({torch.float32, torch.bfloat16}))
    tensors = arguments_in(reference, backend, lambda t: t.to(torch.float32))
    leaked: list[torch.dtype] = []
    with backend.prepared(block, FLOAT32), warnings.catch_warnings(), default_dtype_watched(leaked.append):
        warnings.simplefilter("ignore")

        def called() -> None:
            with torch.autocast(backend.device.type, torch.bfloat16, cache_enabled=False), CountingMode(counts):
                Run(lambda arguments: backend.call(block, arguments), reference.skeleton, tensors, {}, False)

        if isinstance(ran := attempt(called), Raised):
            if ran.of_torch:  # types that autocast does not bring together: upstream does not support it
                return refused(base, Unsupported("not-applicable", f"autocast: {ran.line}"))
            return Record(**base, verdict="fail", reason=f"autocast: raised {ran.text}")
    reached, total = counts.products[torch.bfloat16], sum(counts.products.values())
    is_scripted = scripted(backend.module(block))
    metrics: dict[str, float | str | bool | list[str] | None] = {
        "products": float(total),
        "products bfloat16": float(reached),
        "scripted": is_scripted,
    }
    faults = [f"{name_of(d)} in {n} x{c}" for (n, d), c in counts.unexpected.items()]
    if leaked:
        faults.append(f"left the default dtype at {name_of(leaked[0])}")
    if faults:
        return Record(**base, verdict="fail", reason=f"{block.name} under autocast: {'; '.join(faults[:3])}", detail=figures(metrics))
    missed = f"; autocast does not reach {total - reached} of them" + (" (scripted module)" if is_scripted else "") if reached < total else ""
    reason = f"{total} matrix products, {reached} in bfloat16{missed}" if total else "no matrix product"
    return Record(**base, verdict="pass", reason=reason, detail=figures(metrics))
