"""What one operation may round, and whether it rounds more: judged as a cell is, with draws of this operation alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck._torch_state import neutral
from mpcheck.adapters.slots import PLAIN
from mpcheck.formats import COMPONENTS, FORMATS, Component, Format
from mpcheck.judge.element_names import ElementNames
from mpcheck.judge.metrics import compare
from mpcheck.judge.operations.widened import in_float64, mutates, widened
from mpcheck.judge.scale import noise_scale
from mpcheck.judge.tolerances import RatioLimits
from mpcheck.records.tensors import Quantity
from mpcheck.reference.hashing import xi
from mpcheck.reference.moments import Moments
from mpcheck.reference.noise import NoiseMode, eta_of, perturb, seed_of
from mpcheck.reference.operations import FUSED, Operation, has_constant
from mpcheck.reference.sums import terms_of

DRAWS = (2, 8)
"""Of each component of an operation: few tell that most are sound; what fails by them is judged by more, from which a bias is known as well."""
_NAMES = ElementNames(PLAIN, [], "row")


def allowed(fmt: Format, dtype: torch.dtype, device: str) -> dict[Component, float]:
    """Unit roundoff of each component of an operation whose result has a type, in a format.

    An operation rounds as its result's type says, so that one in float32 within a bfloat16 block is judged as float32's; but no more than
    the format allows, so that one in bfloat16 within a float32 block, and a cast to it, errs too much.
    """
    own = FORMATS.get(str(dtype).removeprefix("torch."))
    mine = fmt.on(device)
    if own is None:
        return mine
    roundoff = own.on(device)
    for component in COMPONENTS:
        most = mine["stored"] if component == "converted" else max(mine[component], mine["operation"] if component in ("stored", "product") else 0.0)
        roundoff[component] = min(roundoff[component], most) if component not in ("underflow", "operand") else roundoff[component]
    if fmt.operand_bits is not None and str(dtype).removeprefix("torch.") == fmt.storage_type:
        roundoff["operand"] = mine["operand"]
    return roundoff


def within_one_rounding(result: torch.Tensor, exact: torch.Tensor, u: float, least: float) -> bool:
    """Whether every element is as near to its float64 value as a single rounding leaves it; such a result needs no draws.

    Args:
        u: unit roundoff. least: absolute error of values below the normal range.
    """
    return bool(((result - exact).abs() <= u * exact.abs() + least).all())


def simple_ratio(result: torch.Tensor, exact: torch.Tensor, u: float) -> float:
    """RMS error over the RMS of one rounding, uniform within its bounds."""
    error, scale = float((result - exact).square().mean().sqrt()), u / math.sqrt(3) * float(exact.square().mean().sqrt())
    return 0.0 if error == 0.0 else error / scale if scale > 0 else math.inf


@dataclass(frozen=True)
class Call:
    """One call of an operation.

    Attributes:
        func, args, kwargs: as torch was asked, operands in float64.
        operation: what is known of it.
        output: which of its results, where it has several.
        exact: float64 result. result: what the judged code gave, in its own type.
    """

    func: Any
    args: Any
    kwargs: Any
    operation: Operation
    output: int | None
    exact: torch.Tensor
    result: torch.Tensor

    def drawn(self, mode: NoiseMode) -> torch.Tensor | None:
        """The result with noise, which operands are copied for where they are written into."""
        args, kwargs = widened((self.args, self.kwargs), copy=True) if mutates(self.func) else (self.args, self.kwargs)
        found = in_float64(lambda *a, **k: _under(mode, self.func, a, k), args, kwargs)
        found = found if self.output is None or found is None else found[self.output]
        return found if isinstance(found, torch.Tensor) and found.shape == self.exact.shape else None


def _under(mode: NoiseMode, func: Any, args: Any, kwargs: Any) -> Any:
    with mode:
        return func(*args, **kwargs)


def _components(call: Call, roundoff: dict[Component, float]) -> Iterator[Component]:
    operation = call.operation
    if not operation.rounds:
        return
    present: set[Component] = {"operand", "product"} if operation.product else {"operation"}
    if operation.sums is not None:
        present.add(operation.sums)
    if operation.name in FUSED:
        present.add("inner")
    if has_constant(operation.name, call.args):
        present.add("constant")
    yield from (c for c in COMPONENTS if c in present and roundoff[c] > 0)


@neutral()
def judged(call: Call, roundoff: dict[Component, float], fmt: Format, limits: RatioLimits) -> Quantity:
    """An operation's result compared with float64's on the same operands.

    Args:
        roundoff: see :func:`allowed`. fmt: of the result's type.
    """
    first = _by_draws(call, roundoff, fmt, limits, DRAWS[0])
    return _by_draws(call, roundoff, fmt, limits, DRAWS[1]) if first.failures else first


def _by_draws(call: Call, roundoff: dict[Component, float], fmt: Format, limits: RatioLimits, draws: int) -> Quantity:
    moments = Moments(call.exact)
    for component in _components(call, roundoff):
        for turn in range(draws):
            drawn = call.drawn(NoiseMode(component, seed_of(component, turn)))
            if drawn is not None:
                moments.add(component, (drawn - call.exact) / eta_of(component))
    if not call.operation.rounds:  # a cast, a copy, numbers of the code as they are stored
        for turn in range(draws):
            moments.add("stored", (perturb(call.exact, seed_of(turn)) - call.exact) / eta_of("stored"))
    for turn in range(draws):
        moments.add("underflow", xi(call.exact, seed_of("underflow", turn)))
    terms = terms_of(call.operation.name, call.args, call.kwargs, call.exact) if call.operation.rounds else 1
    noise: dict[str, torch.Tensor] = {str(component): own for component, own in moments.noise().items()}
    scale = noise_scale(noise, moments.statistics(terms), roundoff, call.exact)
    return compare("out", call.result, call.exact, scale, fmt, limits, _NAMES)
