"""What kind of mistake red conclusions look like, as far as records tell: rounded twice, cut off, summed in 16 bits, no rounding error at all."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._names import (
    BENCH,
    CAPTURED,
    EVERY_ROW,
    GOLDEN,
    MD_DIVERGENCE,
    MD_EQUIVALENCE,
    MD_PHYSICS,
    MD_RUN,
    MD_SPEED,
    MD_TRACE,
    POLICIES,
    PRECISION,
    RANGES,
    SMALL_TWIN,
    TRAINING,
    TRAINING_COMPARED,
    TRAINING_DYNAMICS,
    TRAINING_STEP,
    WHOLE,
)  # fmt: skip
from mpcheck.formats import FLOAT32, FLOAT64, FORMATS, TF32_NAME
from mpcheck.records.items import Item
from mpcheck.records.tensors import Quantity, decisive
from mpcheck.records.verdicts import MISSING
from mpcheck.report.figure import NO_ROUNDING

FEW = 3.0
"""Times what is allowed, up to which one rounding more is told from a sum in 16 bits: the first makes 1.2 to 2, the second 5 to 100."""
CHECKS = {
    "accumulation": "sums kept in fewer bits than the format promises", "dtypes": "computed in another number type than asked for",
    "engagement": "another kernel ran than the one asked for", "size": "rows beyond some number go wrong",
    "graph": "the neighbour list, no rounding error", "physics": "the physics of the model, no rounding error",
    "equivariance": "does not turn or mirror with its input", "layout": "a layout of memory, no rounding error",
    "mix": "a layout between two backends, no rounding error", "conversion": "the conversion of weights, no rounding error",
    "reductions": "a sum that errs more with more terms", "modes": "another way to run it, another result",
    "outputs": "an output of the whole model", "doors": "another way to call it, another result",
    GOLDEN: "the float64 values themselves changed: formula, weights or tables, no rounding error",
    SMALL_TWIN: "the conversion of a small model, no rounding error", WHOLE: "the whole model errs by more than its order of sums explains",
    CAPTURED: "the graph that a script made, no rounding error",
    EVERY_ROW: "some rows of a large tensor go wrong",
    MD_RUN: "dynamics that does not come to its end", MD_PHYSICS: "a law of physics that dynamics breaks",
    MD_DIVERGENCE: "leaves float64's trajectory faster than its force error explains",
    MD_EQUIVALENCE: "another ensemble than float64's", MD_SPEED: "dynamics cannot be timed", MD_TRACE: "dynamics cannot be compared",
    TRAINING: "a training that is wrong", TRAINING_COMPARED: "a training that learns something else than float64's",
    TRAINING_DYNAMICS: "dynamics that a trained model does not hold",
    TRAINING_STEP: "a step of training: loss, gradients, optimiser or weights",
    RANGES: "a pass of the whole model in float64, no rounding error",
    **dict.fromkeys(POLICIES, "the whole model in these formats"),
    **dict.fromkeys(BENCH, "slower, or more work"),
}  # fmt: skip

DIRECT = ("engagement", "dtypes", "accumulation")
"""Checks that look at how a block computes, and so say more than the size of its error does."""


def likeness(red: Sequence[Item], judged: Sequence[Item]) -> str:
    """What one mistake looks like, a line.

    Args:
        red: its conclusions about the block that has it, the worst first.
        judged: every conclusion about the same blocks, for what is green beside.
    """
    first = red[0]
    if all(i.verdict == MISSING for i in red):
        return "planned, and without a record"
    if all(i.verdict == "degraded" for i in red):
        return "something else ran than what was asked for"
    if any("raise" in i.reason for i in red if i.ratio is None):
        return "it raises an error"
    cells = [i for i in red if i.check == PRECISION]
    if not cells:
        return CHECKS.get(first.check, f"the check {first.check}")
    told = next((i.check for i in red if i.check in DIRECT), "")
    return ", ".join(
        [
            CHECKS[told] if told else _kind(cells, judged),
            *_where(cells, [i for i in judged if i.check == PRECISION and i.verdict in ("pass", "fail")]),
        ]
    )


def _kind(cells: Sequence[Item], judged: Sequence[Item]) -> str:
    failing = [q for i in cells if i.record for q in i.record.quantities if q.failures]
    if any(q.rms is None for q in failing):
        return "NaN, infinite or missing values"
    share = max(i.share for i in cells)
    if share <= 1.0:
        return "within what the format allows, but more than is stored for this device: a rounding more, or another order of a sum"
    if (narrower := _narrower(cells, failing)) and share > FEW:
        return narrower
    if share > NO_ROUNDING or any(i.format == FLOAT64.name for i in cells):
        return "no rounding error: formula, index, layout or weights"
    rms = max((q.rms / q.rms_limit for q in failing if q.rms is not None and q.rms_limit), default=share)
    lean = any("bias" in text for q in failing for text in q.failures)
    if rms <= FEW:
        return "errors lean to one side: cut off instead of rounded" if lean else "a rounding more than the format needs"
    if lean:
        return "a sum kept in too few bits: errors lean to one side, as where small addends are lost"
    return "a sum or a value on the way kept in too few bits"


def _narrower(cells: Sequence[Item], failing: Sequence[Quantity]) -> str:
    """A wide format alone is red, and errs by what a narrower one rounds to: it is computed, or was stored, in that."""
    red = {i.format for i in cells}
    if not red <= {FLOAT64.name, FLOAT32.name} or (worst := decisive(failing)) is None or not worst.max_rel:
        return ""
    own = max(FORMATS[name].u for name in red)
    near = [f for f in FORMATS.values() if f.u > own and f.name not in red and f.u / 8 < worst.max_rel < 64 * f.u]
    if not near:
        return ""
    return f"about as exact as {' or '.join(f.name for f in near[:2])}: computed or stored in fewer bits, or a constant that is off by as much"


def _where(cells: Sequence[Item], judged: Sequence[Item]) -> list[str]:
    """What it is confined to: where the same block was judged and is green."""
    told = []
    for what in ("backend", "variant"):
        own = {getattr(i, what) for i in cells}
        if len(own) == 1 and {getattr(i, what) for i in judged} - own:
            told.append(f"only {'on ' if what == 'backend' else ''}{next(iter(own))}")
    red, every = {i.format for i in cells}, {i.format for i in judged}
    if red == every and len(every) > 1:
        told.append("in every format that was judged")
    elif red == {TF32_NAME}:
        told.append("only in tf32: a matrix product")
    elif red < every and red <= FORMATS.keys() and all(FORMATS[f].u > FORMATS[FLOAT32.name].u and f != TF32_NAME for f in red):
        told.append("only in 16 bits")
    elif len(red) == 1 and red < every:
        told.append(f"only in {next(iter(red))}")
    names = {q.name.partition(".")[0] for i in cells if i.record for q in i.record.quantities if q.failures}
    if names == {"weight"}:
        told.append("only in gradients of weights")
    return told
