"""One watched run of a block: which operations it called, in which types, and what its sums did. Shared by the audits."""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.backends.engagement import Calls, counted_calls
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.execution import Run, Tensors
from mpcheck.adapters.tree import map_tensors
from mpcheck.checks.audit.counting import CountingMode, DtypeCounts
from mpcheck.checks.audit.partial_sums import ReductionProbe
from mpcheck.formats import Format
from mpcheck.judge.context import Context
from mpcheck.judge.metrics import bits_digest
from mpcheck.judge.replay import arithmetic
from mpcheck.reference.library import BlockReference

USUAL = torch.float32  # torch's default dtype


@dataclass
class Observation:
    """One run of a block, forward and backward.

    Attributes:
        counts, probe: see their classes; calls: of each implementation below the block.
        paths: additions of two tensors of one shape, by type, in the forward pass alone.
        digests: of the bits of every output of the forward pass.
        warnings: first lines of what was warned of meanwhile.
        leaked: the default dtype that the run left behind, where it is another than before.
        error: what upstream raised; the rest then covers what ran before it.
    """

    counts: DtypeCounts
    probe: ReductionProbe
    calls: Calls
    paths: Counter[torch.dtype] = field(default_factory=Counter)
    digests: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    leaked: torch.dtype | None = None
    error: Raised | None = None


@contextlib.contextmanager
def default_dtype_watched(report: Callable[[torch.dtype], None]) -> Iterator[None]:
    """Report the default dtype that the body leaves behind, if it changed, and put it back.

    The body runs under torch's own default: what leaked earlier, while references were made, say, would hide that it leaks again.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(USUAL)
    try:
        yield
    finally:
        after = torch.get_default_dtype()
        torch.set_default_dtype(before)
        if after != USUAL:
            report(after)


def arguments_in(reference: BlockReference, backend: BackendModel, cast: Callable[[torch.Tensor], torch.Tensor]) -> Tensors:
    """A block's arguments on the backend's device, floating-point ones through ``cast``."""
    return map_tensors(cast, {n: t.to(backend.device) for n, t in reference.inputs.items()})


def _drawn(reference: BlockReference, backend: BackendModel, fmt: Format, draw: int) -> Tensors:
    """Arguments of other numbers, which are the same for every backend."""
    generator = torch.Generator().manual_seed(draw)

    def cast(tensor: torch.Tensor) -> torch.Tensor:
        factors = 0.5 + torch.rand(tensor.shape, dtype=torch.float64, generator=generator)
        return (tensor * factors.to(tensor.device)).to(fmt.storage)

    return arguments_in(reference, backend, cast)


def watch(
    backend: BackendModel, reference: BlockReference, fmt: Format, allowed: frozenset[torch.dtype], backward: bool = True, draw: int | None = None
) -> Observation:
    """Run a block in a format, forward and (one cotangent) backward, and write down what it did.

    Args:
        draw: of factors from 0.5 to 1.5 by which every floating-point argument is multiplied first; None for the arguments as they are.
    """
    block = reference.block
    tensors = arguments_in(reference, backend, lambda t: t.to(fmt.storage)) if draw is None else _drawn(reference, backend, fmt, draw)
    seen = Observation(DtypeCounts(allowed), ReductionProbe(fmt), {})

    def leaked(dtype: torch.dtype) -> None:
        seen.leaked = dtype

    with (
        backend.prepared(block, fmt),
        arithmetic(fmt, backend.device),
        warnings.catch_warnings(record=True) as caught,
        default_dtype_watched(leaked),
        counted_calls(backend.module(block), backend.packages) as calls,
    ):
        warnings.simplefilter("always")
        seen.calls = calls
        parameters = backend.parameters(block) if backward else {}
        cotangents: Mapping[str, torch.Tensor] = next(iter(reference.cotangents.values()), {})
        outputs: Tensors = {}
        casted = {n: c.to(device=backend.device, dtype=fmt.storage) for n, c in cotangents.items()}

        def watched() -> None:
            with CountingMode(seen.counts, seen.probe):
                run = Run(lambda arguments: backend.call(block, arguments), reference.skeleton, tensors, parameters, backward)
                seen.paths = Counter(seen.counts.additions)
                outputs.update({n: t.detach() for n, t in run.outputs.items()})
                low = {n: c if c.dtype == run.outputs[n].dtype else c.to(run.outputs[n].dtype) for n, c in casted.items() if n in run.outputs}
                if backward:
                    run.backward(low)

        if isinstance(ran := attempt(watched), Raised):
            seen.error = ran
    seen.digests = {n: bits_digest(t) for n, t in outputs.items()}
    seen.warnings = [str(w.message).splitlines()[0] for w in caught if str(w.message)]
    return seen


_KEPT: WeakKeyDictionary[Context, dict[tuple[str, str, str, str], Observation]] = WeakKeyDictionary()


def observe(
    context: Context, system: str, backend: BackendModel, reference: BlockReference, fmt: Format, allowed: frozenset[torch.dtype]
) -> Observation:
    """:func:`watch`, once per cell of a run: the audits ask different questions of the same run."""
    kept = _KEPT.setdefault(context, {})
    key = (system, reference.block.name, backend.name, fmt.name)
    if key not in kept:
        kept[key] = watch(backend, reference, fmt, allowed)
    return kept[key]


def forget(context: Context) -> None:
    """Watch anew: the model is not what it was."""
    _KEPT.pop(context, None)
