"""Precision audit: which types the parameters, the operations and the casts of each block really have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import torch

from mpcheck._text import listed
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import Block
from mpcheck.checks.audit.ambient import AUTOCAST, CONSTRUCTION, PROCESS, autocast_finding, construction_findings, process_finding
from mpcheck.checks.audit.counting import name_of
from mpcheck.checks.audit.observing import Observation, observe
from mpcheck.formats import BFLOAT16, FLOAT32, Format
from mpcheck.judge.context import Context, Inspection, Key, timed
from mpcheck.judge.refusing import refused, usable
from mpcheck.records.detail import Types, TypeShare
from mpcheck.records.record import Record

NAME = "dtypes"


def cells_of(check: str, context: Context, formats: Sequence[str]) -> list[Key]:
    """Every block on every backend in some formats, on the system with the fewest atoms: which operations run does not depend on it."""
    system = min(context.systems, key=lambda name: context.systems[name].atoms)
    return [Key(check, block.name, backend, fmt, system) for block in context.blocks(system) for backend in context.backend_names for fmt in formats]


def declared(backend: BackendModel, block: Block, fmt: Format) -> frozenset[torch.dtype]:
    """The types that a block may compute in: the format's storage, and its math type where the backend fixes one inside."""
    return frozenset({fmt.storage, fmt.math} if backend.math_types(block) else {fmt.storage})


def keys(context: Context) -> list[Key]:
    """The process, the constructors, then the cells of the smallest system, each block under autocast after its formats."""
    formats = [f.name for f in context.formats] + ([AUTOCAST] if BFLOAT16 in context.formats else [])
    return [Key(NAME, PROCESS), *(Key(NAME, CONSTRUCTION, backend) for backend in context.backend_names), *cells_of(NAME, context, formats)]


def state_faults(backend: BackendModel, block: Block, fmt: Format) -> list[str]:
    """Parameters and buffers of a prepared block that are not in its storage type.

    Constants that the backend pins keep its math type on purpose, and must have it.
    """
    if (module := backend.module(block)) is None:
        return []
    pinned = {id(t) for t in backend.pinned(block)}
    faults = []
    for kind, tensors in (("parameter", module.named_parameters()), ("buffer", module.named_buffers())):
        named: Iterable[tuple[str, torch.Tensor]] = tensors
        for name, tensor in named:
            wanted = fmt.math if id(tensor) in pinned else fmt.storage
            if tensor.is_floating_point() and tensor.dtype != wanted:
                faults.append(f"{kind} {name} is {name_of(tensor.dtype)}, not {name_of(wanted)}")
    return faults


def math_faults(backend: BackendModel, block: Block, fmt: Format) -> list[str]:
    """Inner types that are not the format's: a 16-bit block that computes in float64 looks better than what its users run."""
    return [f"math_dtype is {name_of(d)}, not {name_of(fmt.math)}" for d in sorted(backend.math_types(block) - {fmt.math}, key=str)]


def abridged(faults: Sequence[str], what: str) -> list[str]:
    """The first of many alike, and how many more there are."""
    more = f" (and {len(faults) - 1} more {what})" if len(faults) > 1 else ""
    return [faults[0] + more] if faults else []


def operation_faults(seen: Observation, fmt: Format) -> list[str]:
    """Operations and casts in a type that the format does not have, most frequent first."""
    by_type: dict[torch.dtype, Counter[str]] = {}
    for (name, dtype), number in seen.counts.unexpected.items():
        by_type.setdefault(dtype, Counter())[name] += number
    faults = []
    for dtype, names in by_type.items():
        told = listed([f"{n} x{c}" for n, c in names.most_common()], 3)
        where = "below" if torch.finfo(dtype).bits < torch.finfo(fmt.storage).bits else "besides"
        faults.append(f"{name_of(dtype)} {where} {name_of(fmt.storage)} in {told}")
    if seen.leaked is not None:
        faults.append(f"left the default dtype at {name_of(seen.leaked)}")
    return faults


def types_of(seen: Observation) -> Types:
    """The table of one cell: shares by type, casts and promotions of one forward and one backward pass."""
    counts = seen.counts
    parts = _percent(counts.operations), _percent(counts.multiply_adds)
    return Types(
        operations=sum(counts.operations.values()), multiply_adds=sum(counts.multiply_adds.values()), casts=sum(counts.casts.values()),
        promotions=sum(counts.promotions.values()),
        shares=[
            TypeShare(dtype=name, operations=parts[0].get(name), multiply_adds=parts[1].get(name)) for name in dict.fromkeys((*parts[0], *parts[1]))
        ],
        cast={f"{name_of(a)} to {name_of(b)}": n for (a, b), n in counts.casts.items()},
    )  # fmt: skip


def _percent(counter: Mapping[torch.dtype, int]) -> dict[str, float]:
    """Shares by type, largest first."""
    total = sum(counter.values())
    return {name_of(d): round(100 * n / total, 2) for d, n in sorted(counter.items(), key=lambda p: -p[1])} if total else {}


@timed
def run(context: Context, key: Key) -> list[Record]:
    """One cell, one block under autocast, or what surrounds them; upstream's faults that are on record come back as such."""
    if key.system:
        return [_cell(context, key)]
    return (
        [process_finding(NAME, context.device, context.left_behind)]
        if key.subject == PROCESS
        else construction_findings(NAME, key.backend, context.device)
    )


def _cell(context: Context, key: Key) -> Record:
    library = context.library(key.system)
    block = library.block(key.subject)
    fmt = next((f for f in context.formats if f.name == key.format), FLOAT32)
    backend = usable(library, context.backend(key.backend), block, fmt)
    if isinstance(backend, Unsupported):
        return refused(key.about, backend)
    if key.format == AUTOCAST:
        return autocast_finding(NAME, key.system, backend, library.get(block.name))
    seen = observe(context, key.system, backend, library.get(block.name), fmt, declared(backend, block, fmt))
    with backend.prepared(block, fmt):
        faults = math_faults(backend, block, fmt) + abridged(state_faults(backend, block, fmt), "tensors") + operation_faults(seen, fmt)
    if seen.error is not None:
        if seen.error.missing and not faults:
            return refused(key.about, Unsupported("no-operation", seen.error.line))
        faults.append(f"raised {seen.error.text}")
    reason = f"{block.name}: " + "; ".join(faults[:3]) + (f"; and {len(faults) - 3} more" if len(faults) > 3 else "") if faults else ""
    return Record(**key.about, verdict="fail" if faults else "pass", reason=reason, detail=types_of(seen))


INSPECTION = Inspection(NAME, keys, run)
