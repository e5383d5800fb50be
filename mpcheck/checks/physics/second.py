"""Second derivatives of every block: training on forces takes them, and nothing else does."""

from __future__ import annotations

import math

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.checks.physics.differences import BlockFunction, BlockRatio, Derivative, DerivativeComparison, compared, rounding, worst_of
from mpcheck.checks.physics.extremes import lost, places
from mpcheck.checks.physics.small import CalledBlock, blocks
from mpcheck.checks.physics.structure import Case
from mpcheck.formats import FLOAT64, Format
from mpcheck.records.record import Record

CALLS = 4  # TorchScript has optimised what it runs after three


def second_derivatives(case: Case) -> list[Record]:
    """Double backward passes of every leaf and step in float64 against differences of the first derivatives, and from call to call;
    and in every format, on the model's own inputs and on extreme ones, whether they are finite.
    """
    backend = case.context.backend(case.key.backend)
    assert not isinstance(backend, Unsupported), "checked before"
    seen = list(blocks(case, backend))
    return [*_numerical(case, backend, seen), *(f for fmt in case.context.formats if (f := _finite(case, backend, seen, fmt)))]


def _numerical(case: Case, backend: BackendModel, seen: list[CalledBlock]) -> list[Record]:
    wrong, changing = [], []
    for one in seen:
        judged_block = attempt(lambda one=one: _block(case, backend, one))  # type: ignore[misc]  # a loop's variable, bound
        if isinstance(judged_block, Raised):
            numerical = BlockRatio(one.block.name, math.inf, f"its second derivative raised {judged_block.text}")
            between = BlockRatio(one.block.name)
        else:
            numerical, between = judged_block
        wrong.append(numerical)
        changing.append(between)
    records = []
    for variant, judged in (("numerical", wrong), ("calls", changing)):
        worst, reason = worst_of(judged)
        records.append(
            case.finding(worst.ratio, variant=variant, reason=reason, worst=worst.block, metrics={"blocks": float(len(judged))}, block=worst.block)
        )
    return records


def _block(case: Case, backend: BackendModel, seen: CalledBlock) -> tuple[BlockRatio, BlockRatio]:
    """Against differences, and call against call: all along one direction, within what the differences may be off."""
    name = seen.block.name
    sigma = rounding(case.context, seen, 2, case.context.seed)
    with backend.prepared(seen.block, FLOAT64):
        function = BlockFunction(backend, seen, case.context.seed)
        calls = [function.derivative(2) for _ in range(CALLS)]
        direction = function.direction(2)
        comparison = compared(function, 2, calls[-1], direction, sigma)
        numerical = BlockRatio(name, comparison.ratio, _said(function, comparison, calls[-1], sigma))
    along = [float(sum((g * direction[n]).sum() for n, g in call.by.items())) for call in calls]
    ratios = [DerivativeComparison(value, along[-1], comparison.allowed).ratio for value in along]
    number = max(range(CALLS), key=lambda i: ratios[i])
    return numerical, BlockRatio(name, ratios[number], f"its second derivative in call {number + 1} is not that of call {CALLS}")


def _said(function: BlockFunction, comparison: DerivativeComparison, last: Derivative, sigma: float) -> str:
    """Along which argument the second derivative is wrong."""
    if comparison.ratio <= 1.0:
        return ""
    infinite = [n for n, g in last.by.items() if not bool(g.isfinite().all())]
    if infinite:
        return f"its second derivative by {infinite[0]} is not finite"
    parts = {n: compared(function, 2, last, {n: v}, sigma) for n, v in function.direction(2).items()}
    guilty = [n for n, part in parts.items() if part.ratio > 1.0]
    shown = parts[guilty[0]] if guilty else comparison
    absent = [n for n in guilty if n not in last.by]
    missing = f", which is missing (None) by {', '.join(absent)}" if absent else ""
    where = f" by {', '.join(guilty)}" if guilty else ""
    return f"its second derivative{where} is {shown.analytic:.9g} instead of {shown.numeric:.9g} along a random direction{missing}"


def _finite(case: Case, backend: BackendModel, seen: list[CalledBlock], fmt: Format) -> Record | None:
    """One format; None for tf32 on a CPU, whose range and kernels are float32's."""
    if fmt.emulated(case.device.type):
        return None
    judged, missing, extreme = [], 0, 0.0
    for one in seen:
        if backend.unsupported(one.block, fmt):
            continue
        said = ""
        for place in places(case.context, one, fmt):
            extreme = max(extreme, place.size)
            told = said or attempt(lambda place=place: lost(backend, place, fmt, case.context.seed))  # type: ignore[misc]  # as above
            if isinstance(told, Raised):
                missing += told.missing
                told = "" if told.missing else f"raised {told.text} in {fmt.name}"
            said = told
        judged.append(BlockRatio(one.block.name, math.inf if said else 0.0, said))
    worst, reason = worst_of(judged)
    metrics: dict[str, float | str | bool] = {"blocks": float(len(judged)), "lacking_operations": float(missing), "largest_input": extreme}
    return case.finding(worst.ratio, variant="finite", reason=reason, worst=worst.block, metrics=metrics, block=worst.block).model_copy(
        update={"format": fmt.name}
    )
