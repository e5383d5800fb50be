"""Compare one quantity with its reference: rounding ratios, bias, range, and the worst element by name."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mpcheck.formats import Format
from mpcheck.judge.element_names import ElementNames, place
from mpcheck.judge.scale import PartScale, Scale
from mpcheck.judge.tolerances import RatioLimits
from mpcheck.records.tensors import Group, Quantity, Worst, finite

FLOOR = 0.1  # of rms(s), added to s per element: a few draws of each component know one element's s to about 20 %
STABILISER = 1e-3  # of rms(value), added to |value| in relative errors
# Where more than a tenth of s^2 comes from values below the normal range, results are flushed towards zero together: the
# errors add up in one direction, which independent draws do not model. Such a tensor is out of the format's range; it is
# counted as such, and only gross errors are called (measured: up to 2.2 in float16 gradients of a random model's products).
UNDERFLOW_SHARE = 0.1
UNDERFLOW_WIDENING = 4.0
KNOWN = float(torch.finfo(torch.float32).tiny)
"""References keep noise in float32. Of values that all lie below its range nothing is known but that u times it is nothing."""


def bits_digest(tensor: torch.Tensor) -> str:
    """Sixteen hexadecimal digits over the tensor's bits: equal digests, bit-identical results."""
    raw = tensor.detach().to("cpu").contiguous()
    data = raw.reshape(-1).view(torch.uint8).numpy().tobytes() if raw.numel() else b""
    return hashlib.sha256(data).hexdigest()[:16]


def compare(name: str, low: torch.Tensor, value: torch.Tensor, scale: Scale, fmt: Format, limits: RatioLimits, layout: ElementNames) -> Quantity:
    """All metrics of one quantity and the reasons, if any, why it fails.

    Args:
        low: as the format computed it, any dtype.
        value: the float64 reference, same shape.
        scale: the noise scale in this format.
        limits: on ratios, for this block, format and backend.
    """
    if list(low.shape) != (shape := list(value.shape)):
        return _refused(name, list(low.shape), f"shape {list(low.shape)} instead of {shape}", low)
    got = low.to(value.dtype)
    magnitude = value.abs()
    error, range_ = _errors(got, value, magnitude, fmt)
    flushed = scale.underflow > UNDERFLOW_SHARE
    allowed_width = widened(limits.rms, scale.spread) * (UNDERFLOW_WIDENING if flushed else 1.0)
    max_limit = limits.max_at(value.numel()) * scale.stretch(value.numel()) * allowed_width / limits.rms
    stabiliser = STABILISER * math.sqrt(float(value.square().mean()))
    unit = _unit(scale.rms, magnitude, fmt)
    size, comparable, denominator = error.abs(), magnitude + stabiliser, scale.s + FLOOR * unit
    relative = _divide(size, denominator, unit > 0)
    if range_.subnormal is not None:
        # a subnormal value has an error of its own size; the tensor's rms sees it, a single element cannot be judged by it
        relative = relative.masked_fill(range_.subnormal, 0.0)
    index = int(relative.argmax()) if range_.first_lost is None else range_.first_lost
    lost = range_.lost > 0
    largest = float(relative.reshape(-1)[index])
    quantity: dict[str, Any] = {
        "name": name,
        "shape": shape,
        "max_abs": None if lost else finite(float(size.max())),
        "max_rel": None if lost else finite(float(_divide(size, comparable, stabiliser > 0).max())),
        "stabiliser": finite(stabiliser),
        "rms": None if lost else finite(_ratio(math.sqrt(float(error.square().mean())), unit)),
        "rms_limit": finite(allowed_width),
        "max": None if lost else finite(largest),
        "max_limit": finite(max_limit),
        "bias": finite(_ratio(float(error.mean()), unit)),
        "signed_bias": finite(_ratio(float((error * value.sign()).mean()), unit)),
        "bias_limit": None if flushed else finite(_bias_limit(scale.bias, low, limits)),
        "signed_bias_limit": None if flushed else finite(_bias_limit(scale.signed_bias, low, limits)),
        "nonfinite": range_.nonfinite,
        "out_of_range": range_.outside,
        "allowed_abs": finite(max_limit * float(denominator.max())),
        "allowed_rel": finite(max_limit * float(_divide(denominator, comparable, stabiliser > 0).max())),
        "digest": bits_digest(low),
    }
    groups = _groups(error, magnitude, scale, fmt, limits, layout) if not flushed else []
    failures = _failures(quantity, groups, range_.lost, largest)
    worst = Worst(
        place=place(index, shape, layout),
        value=finite(float(got.reshape(-1)[index])),
        expected=finite(float(value.reshape(-1)[index])),
        allowed=finite(max_limit * float(denominator.reshape(-1)[index])),
    )
    return Quantity(**quantity, groups=groups, worst=worst, failures=failures)


def absent(name: str, value: torch.Tensor) -> Quantity:
    """A quantity that the reference has, float64 ``value``, and a backend did not give: a failure of its own, which no figure describes."""
    kind, argument = name.partition(".")[0], name.split(".", 2)[-1]
    of = {"grad": f"that with respect to {argument}", "weight": f"that of the parameter {argument}"}.get(kind)
    lost = f"no gradient: {of} is None," if of else "no such output:"
    return _refused(name, list(value.shape), f"{lost} the reference's has {value.numel()} values", None)


@dataclass(frozen=True)
class _Range:
    """What the format's range has to do with a tensor.

    Attributes:
        nonfinite: results that are NaN or infinite; lost: those of them whose reference the format can hold.
        outside: reference values above the largest or below the smallest normal number.
        subnormal: where the reference is below the smallest normal number; None where it nowhere is.
        first_lost: flat index of a lost result; None where none is.
    """

    nonfinite: int
    lost: int
    outside: int
    subnormal: torch.Tensor | None
    first_lost: int | None


def _errors(got: torch.Tensor, value: torch.Tensor, magnitude: torch.Tensor, fmt: Format) -> tuple[torch.Tensor, _Range]:
    """The error of every element that can be judged, 0 elsewhere.

    Most tensors lie within the range, which three reductions tell; the masks are made for the others only.
    """
    error = got - value
    large = float(magnitude.max()) > fmt.largest
    subnormal = (magnitude < fmt.smallest_normal) & (magnitude > 0) if float(magnitude.min()) < fmt.smallest_normal else None
    if subnormal is not None and not bool(subnormal.any()):
        subnormal = None
    outside = 0 if subnormal is None else int(subnormal.sum())
    if not large and math.isfinite(float(error.sum())):
        return error, _Range(0, 0, outside, subnormal, None)
    nonfinite, too_large = ~torch.isfinite(got), magnitude > fmt.largest
    missing = nonfinite & ~too_large
    lost = int(missing.sum())
    first = int(missing.reshape(-1).int().argmax()) if lost else None
    outside += int(too_large.sum())
    return error.masked_fill(nonfinite | too_large, 0.0), _Range(int(nonfinite.sum()), lost, outside, subnormal, first)


def with_arithmetic(quantity: Quantity, low: torch.Tensor, rounded: torch.Tensor, scale: Scale, fmt: Format, limits: RatioLimits) -> Quantity:
    """Add the error of the arithmetic alone: against float64 on the rounded arguments and parameters.

    Its scale has no stored component, which is most of the noise and all of what is common to many elements, so that a
    kernel that truncates, or accumulates too narrowly, stands out where the total error would hide it.

    Args:
        rounded: float64 value on what the format stores.
        scale: noise scale without the stored component.
    """
    if scale.rms <= 0 or scale.underflow > UNDERFLOW_SHARE:
        return quantity
    judged = rounded.abs() <= fmt.largest
    error = torch.where(judged, low.to(rounded.dtype) - rounded, torch.zeros_like(rounded))
    ratio = _ratio(float(error.square().mean().sqrt()), scale.rms)
    bias = _ratio(float((error * rounded.sign()).mean()), scale.rms)
    # the final rounding's size depends on where a value lies between powers of two; the first-order scale does not know the
    # second-order difference between rounded and exact arguments either: a tenth
    limit = 1.1 * widened(limits.rms, scale.spread)
    bias_limit = _bias_limit(scale.signed_bias, low, limits)
    failures = list(quantity.failures)
    if not ratio <= limit:
        failures.append(f"arithmetic rms ratio {ratio:.3g} > {limit:.3g}")
    if not abs(bias) <= bias_limit:
        failures.append(f"arithmetic signed bias {bias:.3g} > {bias_limit:.3g}")
    update = {
        "arithmetic": finite(ratio), "arithmetic_limit": finite(limit), "arithmetic_bias": finite(bias),
        "arithmetic_bias_limit": finite(bias_limit), "failures": failures,
    }  # fmt: skip
    return quantity.model_copy(update=update)


def _bias_limit(sigma: float, low: torch.Tensor, limits: RatioLimits) -> float:
    """The limit on a bias whose standard deviation is ``sigma`` where values round apart.

    Rows of atoms in nearly equal surroundings lie closer than the format's spacing: they round together, and a mean of theirs
    scatters as that of so many fewer. How many are left is counted, column by column, in what the format gave; without it one
    cell of 23,000 clean ones of a random model was red (a signed bias of 0.445 against 0.443, 33 atoms in two surroundings).
    """
    if limits.bias_sigmas * sigma > limits.bias_floor and low.numel() > 1:
        sigma *= math.sqrt(low.numel() / _different(low))
    return limits.bias_at(sigma)


_INTEGERS = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.int8}


def _different(low: torch.Tensor) -> int:
    """How many numbers differ from all others in their column. numpy sorts the bits: a twentieth of the time that torch takes for floats."""
    bits = (low.detach() + 0.0).cpu().reshape(low.shape[0], -1).t().contiguous().view(_INTEGERS[low.element_size()]).numpy()  # -0 is 0
    ordered = np.sort(bits, axis=1)
    return int(ordered.shape[0] + np.count_nonzero(ordered[:, 1:] != ordered[:, :-1]))


def widened(limit: float, spread: float) -> float:
    """A limit on an RMS ratio, widened for tensors that few independent roundings decide.

    The squared ratio of a sound result scatters about its mean by the relative standard deviation ``spread``, which itself
    is known from few draws; twelve of them are allowed. For a tensor that is one product of two stored numbers that gives
    3.4, where three roundings of the same sign can reach 3; for a tensor of thousands of independent roundings it changes
    next to nothing.
    """
    return limit * math.sqrt(1 + 12 * spread)


def _ratio(numerator: float, denominator: float) -> float:
    if numerator == 0.0:
        return 0.0
    return numerator / denominator if denominator > 0 else math.copysign(math.inf, numerator)


def _unit(rms: float, magnitude: torch.Tensor, fmt: Format) -> float:
    """A noise scale that is not zero because the values are too small for it to be known."""
    return rms + fmt.u * KNOWN if float(magnitude.max()) < KNOWN else rms


def _divide(a: torch.Tensor, b: torch.Tensor, positive: bool) -> torch.Tensor:
    """A / b with 0 / 0 = 0; ``positive`` promises that b has no zero."""
    return a / b if positive else torch.where(a == 0, torch.zeros_like(a), a / b)


def _groups(error: torch.Tensor, magnitude: torch.Tensor, scale: Scale, fmt: Format, limits: RatioLimits, layout: ElementNames) -> list[Group]:
    if len(layout.groups) < 2:
        return []
    rows = []
    total = error.numel()
    e, s, m = (error.flatten(), scale.s.flatten(), magnitude.flatten()) if layout.flat else (error, scale.s, magnitude)
    known: Sequence[PartScale | None] = scale.parts if len(scale.parts) == len(layout.groups) else [None] * len(layout.groups)
    for (name, where), told in zip(layout.groups, known, strict=True):
        part, own = e[..., where], s[..., where]
        if not part.numel():
            continue
        ratio = _ratio(float(part.square().mean().sqrt()), _unit(float(own.square().mean().sqrt()), m[..., where], fmt))
        distinct = max(1.0, scale.distinct * part.numel() / total)
        spread = max(scale.spread, 0.9 / math.sqrt(distinct), told.spread if told else 0.0)
        gross = UNDERFLOW_WIDENING if told and told.underflow > UNDERFLOW_SHARE else 1.0
        rows.append(Group(name=name, rms=finite(ratio), limit=finite(widened(limits.rms, spread) * gross)))
    return rows


def _failures(quantity: Mapping[str, Any], groups: list[Group], lost: int, largest: float) -> list[str]:
    if lost:
        return [f"{lost} values are NaN or infinite where the reference is in range"]

    def number(key: str) -> float:
        value = quantity[key]
        return math.inf if value is None else abs(float(value))

    failures = []
    if number("rms") > number("rms_limit"):
        failures.append(f"rms ratio {number('rms'):.3g} > {number('rms_limit'):.3g}")
    if largest > number("max_limit"):
        failures.append(f"max ratio {largest:.3g} > {number('max_limit'):.3g}")
    for key, label in (("bias", "bias"), ("signed_bias", "signed bias")):
        if number(key) > number(f"{key}_limit"):
            failures.append(f"{label} {number(key):.3g} > {number(f'{key}_limit'):.3g}")
    for group in groups:
        if group.rms is None or (group.limit is not None and group.rms > group.limit):
            failures.append(f"rms ratio of {group.name}: {'inf' if group.rms is None else f'{group.rms:.3g}'} > {group.limit:.3g}")
    return failures


def _refused(name: str, shape: list[int], reason: str, low: torch.Tensor | None) -> Quantity:
    nothing: dict[str, Any] = dict.fromkeys(
        ("max_abs", "max_rel", "stabiliser", "rms", "rms_limit", "max", "max_limit", "bias", "signed_bias", "bias_limit",
         "signed_bias_limit", "allowed_abs", "allowed_rel")
    )  # fmt: skip
    return Quantity(name=name, shape=shape, **nothing, nonfinite=0, out_of_range=0, failures=[reason], digest="" if low is None else bits_digest(low))
