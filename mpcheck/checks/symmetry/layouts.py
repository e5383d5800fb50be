"""Layouts: every tensor between blocks fed in the wrong layout on purpose, as a control that the suite would see it.

A conversion between ``mul_ir`` and ``ir_mul`` that is forgotten changes no shape and, in a trained model, may hardly change an
energy. For every irreps tensor of every block this check runs the block with the right layout, which must pass, and with
memory of the other layout, which must fail by the same judgement that the precision session uses. Where no wrong layout
exists (scalars, one channel) or the block does not read what would change, it says ``indistinguishable``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.layout import Layout, differing, misread
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.slots import Slot
from mpcheck.formats import FLOAT64, Format, get_format
from mpcheck.judge.context import Context, Inspection, Key
from mpcheck.judge.element_names import ElementNames
from mpcheck.judge.metrics import absent, compare
from mpcheck.judge.refusing import raised, refused, usable
from mpcheck.judge.replay import FORWARD, replay
from mpcheck.judge.scale import noise_scale
from mpcheck.judge.tolerances import Tolerances, limits_for
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.records.verdicts import Verdict
from mpcheck.reference.library import BlockReference

CHECK = "layout"
MOST_HIDDEN = 4.0
"""The loosest packaged limit, before it is widened for tensors that few independent roundings decide; looser ones excuse no control."""


@dataclass(frozen=True)
class WorstOutput:
    """All outputs of one run of a block: the worst rms ratio by its limit, where it is, and what the suite objects to.

    Attributes:
        base: the limit before it was widened for tensors that few independent roundings decide.
    """

    ratio: float
    limit: float
    tensor: str
    failures: tuple[str, ...]
    base: float = MOST_HIDDEN


def judged(low: Mapping[str, torch.Tensor], reference: BlockReference, backend: BackendModel, fmt: Format, tolerances: Tolerances) -> WorstOutput:
    """Compare a block's outputs with the reference as the precision session does, within ``backend``'s limits."""
    block = reference.block
    limits = limits_for(tolerances, block.name, backend.name, fmt.name, FORWARD)
    roundoff = backend.roundoff(block, fmt)
    worst = WorstOutput(0.0, limits.rms, "", ())
    failures: list[str] = []
    for name, value in reference.values.items():
        if name.startswith(("grad.", "weight.")) or not value.numel():
            continue
        scale = noise_scale(reference.noise[name], reference.statistics[name], roundoff, value)
        slot = block.output_slot(name)
        names = ElementNames(slot, slot.groups(tuple(value.shape)), "row")
        quantity = compare(name, low[name].to(value.device), value, scale, fmt, limits, names) if name in low else absent(name, value)
        failures += [f"{name}: {text}" for text in quantity.failures]
        ratio, limit = math.inf if quantity.rms is None else quantity.rms, quantity.rms_limit or limits.rms
        if not worst.tensor or ratio / limit > worst.ratio / worst.limit:
            worst = WorstOutput(ratio, limit, name, ())
    return replace(worst, failures=tuple(failures), base=limits.rms)


def unread(name: str, slot: Slot, reference: BlockReference) -> list[str]:
    """Irreps of an input, of those whose layouts differ, that the block does not read: nothing it gives depends on them.

    Every element of the derivative of a random projection of the outputs is zero there.
    """
    derivative = reference.values.get(f"grad.random.{name}")
    tensor = reference.inputs[name]
    labels = []
    for label, where in slot.groups(tuple(tensor.shape)):
        if label in differing(slot) and (derivative is None or not bool(derivative[..., where].any())):
            labels.append(label)
    return labels


def _apart(name: str, slot: Slot, reference: BlockReference, wrong: torch.Tensor, right: torch.Tensor) -> str:
    """Why wrong and right cannot be told apart; empty where they can."""
    differ = differing(slot)
    if not differ:
        return f"{name} ({slot.irreps}) is the same in both layouts"
    if torch.equal(wrong, right):
        return f"{name} ({slot.irreps}) holds the same numbers in both layouts"
    skipped = unread(name, slot, reference) if name in reference.inputs else []
    return f"the block does not read {' + '.join(differ)} of {name}" if set(skipped) == set(differ) else ""


def hides(exact: float, unseen: WorstOutput | None, right: float) -> bool:
    """Whether what a layout changes may be as small as what roundings change besides: sums that cancel on a nearly perfect crystal, say.

    Args:
        exact: change of the float64 reference, in units of its noise. unseen: the wrong layout, as it was judged. right: ratio of the right one.
    """
    limit = unseen.limit * min(1.0, MOST_HIDDEN / unseen.base) if unseen is not None else 0.0
    return exact <= limit + max(1.0, 2 * right)


def exact_change(context: Context, block: Block, names: Collection[str], layout: Layout, reference: BlockReference) -> float:
    """The most that reading one of a block's tensors in the wrong layout changes, by the float64 reference, in units of its noise.

    Whether a layout matters on a structure is asked of the reference: a backend that drops irreps must not excuse itself.

    Args:
        block: whose slots tell the parts. names: of inputs and outputs. layout: of who reads.
    """
    backend, ratios = context.reference_backend, [0.0]
    for name in names:
        if name in reference.inputs:
            wrong = misread(reference.inputs[name], block.input_slot(name), layout)
            low = replay(backend, replace(reference, inputs={**reference.inputs, name: wrong}), FLOAT64, FORWARD)
        else:
            low = {**reference.values, name: misread(reference.values[name], block.output_slot(name), layout)}
        ratios.append(judged(low, reference, backend, FLOAT64, context.tolerances).ratio)
    return max(ratios)


@dataclass
class _Misreading:
    """One tensor read wrongly: what it is, how to run the block so, and how much of that is the layout: the same of the float64 reference."""

    name: str
    slot: Slot
    same: str
    run: Callable[[], WorstOutput]
    exact: Callable[[], WorstOutput]


def _input_cases(context: Context, backend: BackendModel, reference: BlockReference, fmt: Format) -> list[_Misreading]:
    cases = []
    for name, tensor in reference.inputs.items():
        slot = backend.here(reference.block).input_slot(name)
        if slot.irreps is None or not slot.groups(tuple(tensor.shape)) or not slot.groups(tuple(tensor.shape))[0][0]:
            continue
        wrong = misread(tensor, slot, backend.layout)

        def run(given: torch.Tensor, by: BackendModel, computed: Format, name: str = name) -> WorstOutput:
            fed = replace(reference, inputs={**reference.inputs, name: given})
            return judged(replay(by, fed, computed, FORWARD), reference, backend, fmt, context.tolerances)

        same = _apart(name, slot, reference, wrong, tensor)
        # whether the layout matters on this structure is asked of the float64 reference: a backend that drops irreps must not excuse itself
        exact = partial(run, wrong, context.reference_backend, FLOAT64)
        cases.append(_Misreading(name, slot, same, partial(run, wrong, backend, fmt), exact))
    return cases


def _output_cases(
    context: Context, backend: BackendModel, reference: BlockReference, fmt: Format, low: Mapping[str, torch.Tensor]
) -> list[_Misreading]:
    cases = []
    for name, tensor in low.items():
        slot = backend.here(reference.block).output_slot(name)
        if slot.irreps is None or not slot.groups(tuple(tensor.shape))[0][0]:
            continue
        wrong = misread(tensor, slot, backend.layout)

        def run(outputs: Mapping[str, torch.Tensor]) -> WorstOutput:
            return judged(outputs, reference, backend, fmt, context.tolerances)

        same = _apart(name, slot, reference, wrong, tensor)
        exact = {**reference.values, name: misread(reference.values[name], slot, backend.layout)}
        cases.append(_Misreading(name, slot, same, partial(run, {**low, name: wrong}), partial(run, exact)))
    return cases


def _concluded(base: dict[str, Any], right: WorstOutput, cases: list[_Misreading], seconds: float) -> Record:
    """One finding over the tensors of one side of a block."""
    verdict: Verdict = "pass"
    reason = ""
    metrics: dict[str, Any] = {}
    if right.failures:
        verdict, reason = "fail", f"right layout: {right.failures[0]}"
    same = [c.same for c in cases if c.same]
    seen: dict[str, float] = {}
    for case in cases:
        if case.same:
            continue
        wrong = case.run()
        if not wrong.failures and hides((exact := case.exact().ratio), wrong, right.ratio):
            same.append(f"{' + '.join(differing(case.slot))} of {case.name}, misread, makes {exact:.2g} roundings on this structure, too few to see")
            continue
        seen[case.name] = wrong.ratio
        if not wrong.failures:
            verdict = "fail"
            measured = f"rms ratio {wrong.ratio:.3g} of {wrong.tensor}, allowed {wrong.limit:.3g}"
            reason = f"{case.name} ({case.slot.irreps}) in the wrong layout is not seen: {measured}"
    if verdict == "pass" and not seen:
        verdict, reason = "indistinguishable", "; ".join(same)
    if seen:
        least = min(seen, key=lambda n: seen[n])
        metrics = {"wrong_layout_ratio": seen[least] if math.isfinite(seen[least]) else None, "least_seen": least}
    metrics |= {"seen": list(seen), "indistinguishable": same}
    return Record(
        **base, verdict=verdict, reason=reason, ratio=right.ratio if math.isfinite(right.ratio) else None, limit=right.limit,
        detail=figures(metrics), worst=right.tensor, seconds=round(seconds, 4),
    )  # fmt: skip


def smallest(context: Context) -> str:
    """The system with the fewest atoms of those whose graph has an edge: layouts do not depend on the structure."""
    return min(context.systems, key=lambda s: (context.systems[s].atoms < 3, context.systems[s].atoms))


def run(context: Context, key: Key) -> list[Record]:
    """One block on one backend in one format: its inputs, then its outputs."""
    base = key.about
    library, fmt = context.library(key.system), get_format(key.format)
    block = library.block(key.subject)
    backend = usable(library, context.backend(key.backend), block, fmt)
    if isinstance(backend, Unsupported):
        return [refused(base, backend)]
    reference = library.get(key.subject)
    if (peak := reference.peaks[FORWARD]) > fmt.largest:
        return [refused(base, Unsupported("out-of-range", f"range: values reach {peak:.3g}, {fmt.name} holds {fmt.largest:.6g}"))]
    began = time.perf_counter()
    low = attempt(lambda: replay(backend, reference, fmt, FORWARD))
    if isinstance(low, Raised):
        return [raised(base, low)]
    right = judged(low, reference, backend, fmt, context.tolerances)
    sides = {"inputs": _input_cases(context, backend, reference, fmt), "outputs": _output_cases(context, backend, reference, fmt, low)}
    findings = []
    for side, cases in sides.items():
        if cases:
            findings.append(_concluded({**base, "variant": side}, right, cases, time.perf_counter() - began))
            began = time.perf_counter()
    return findings or [Record(**base, verdict="indistinguishable", reason="no tensor of the block carries irreps")]


def keys(context: Context) -> list[Key]:
    """Every block that carries irreps, by backend and format, on the smallest system."""
    system = smallest(context)
    blocks = [b for b in context.blocks(system) if any(s.irreps is not None for s in (*b.inputs.values(), *b.outputs.values()))]
    return [Key(CHECK, b.name, name, f.name, system) for b in blocks for name in context.backend_names for f in context.formats]


INSPECTION = Inspection(CHECK, keys, run)
