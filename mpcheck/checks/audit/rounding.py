"""What a block would give if every one of its operations summed in a wider type and rounded once: emulated in float64.

The emulation runs the block's own code on float64 tensors that hold the format's numbers, and rounds the result of each
operation to the format. Sound wide arithmetic agrees with it bit by bit but for rare ties that a partial sum's own rounding
decides; partial sums kept in the format disagree in many elements, whether one operation keeps them or the code adds up
pieces where the format is met.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator

import torch

from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.execution import Run, Tensors
from mpcheck.checks.audit.counting import name_of
from mpcheck.checks.audit.observing import arguments_in
from mpcheck.formats import FLOAT64, Format
from mpcheck.judge.emulate import round_significand
from mpcheck.judge.replay import arithmetic
from mpcheck.reference.emulation import SingleRounding
from mpcheck.reference.library import BlockReference


@contextlib.contextmanager
def _widened(backend: BackendModel, reference: BlockReference, fmt: Format, math_type: torch.dtype) -> Iterator[None]:
    """The block in float64 with the parameters and buffers that the format stores, and a given type inside."""
    wide = dataclasses.replace(fmt, name=f"{fmt.name} in float64", storage_type=FLOAT64.storage_type, math_type=name_of(math_type))

    def stored(t: torch.Tensor) -> torch.Tensor:
        return t.to(fmt.storage).to(torch.float64) if t.dtype == torch.float64 else t

    with backend.prepared(reference.block, wide), replaced(backend.module(reference.block), stored):
        yield


@dataclasses.dataclass(frozen=True)
class Disagreement:
    """A format's result against the emulation.

    Attributes:
        ratio: RMS of their difference in units of the emulation's own RMS error; 0 where all bits agree.
        share: of elements that differ; output: the worst output's name.
    """

    ratio: float
    share: float
    output: str


def _operands(fmt: Format) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """What rounds operands of matrix products, where the format does that."""
    bits = fmt.operand_bits
    return None if bits is None else lambda t: round_significand(t.to(torch.float32), bits).to(t.dtype)


def _forward(backend: BackendModel, reference: BlockReference, tensors: Tensors) -> Tensors:
    run = Run(lambda arguments: backend.call(reference.block, arguments), reference.skeleton, tensors, {}, False)
    return {n: t.detach().to(torch.float64) for n, t in run.outputs.items()}


def disagreement(backend: BackendModel, reference: BlockReference, fmt: Format) -> Disagreement:
    """Run a block forward in a format, emulated, and exactly; NaN where a result is not finite and the emulation's is."""
    low_arguments = arguments_in(reference, backend, lambda t: t.to(fmt.storage))
    with backend.prepared(reference.block, fmt), arithmetic(fmt, backend.device):
        low = _forward(backend, reference, low_arguments)
    arguments = {n: t.to(torch.float64) if t.is_floating_point() else t for n, t in low_arguments.items()}
    with _widened(backend, reference, fmt, fmt.math), SingleRounding(fmt.storage, _operands(fmt)):
        emulated = _forward(backend, reference, arguments)
    with _widened(backend, reference, fmt, torch.float64):
        exact = _forward(backend, reference, arguments)
    worst = Disagreement(0.0, 0.0, "")
    for name, value in emulated.items():
        if name not in low:
            return Disagreement(math.nan, 1.0, name)
        held = torch.isfinite(value)
        difference, error = (low[name] - value)[held], (value - exact[name])[held]
        if not difference.numel():
            continue
        apart, own = float(difference.square().mean().sqrt()), float(error.square().mean().sqrt())
        ratio = apart / own if own else (0.0 if apart == 0 else math.inf)
        if not ratio <= worst.ratio or not worst.output:
            worst = Disagreement(ratio, float((difference != 0).double().mean()), name)
    return worst
