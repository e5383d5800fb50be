"""Watches every aten operation of a replay: what it errs by itself, on the operands that it has, apart from what they err by already."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from mpcheck.formats import FORMATS, Format
from mpcheck.judge.operations.places import Place, Places
from mpcheck.judge.operations.rounding import Call, allowed, judged, simple_ratio, within_one_rounding
from mpcheck.judge.operations.shadows import Shadows, key_of
from mpcheck.judge.operations.widened import in_float64, is_view, mutates, repeatable, widened
from mpcheck.judge.tolerances import RatioLimits
from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.operations import operation_of


@dataclass
class Seen:
    """One operation of a replay.

    Attributes:
        number: from 1, of those that the block calls.
        name: ``aten.mm.default``.
        place: where it is called.
        operands, results: ``bfloat16[12, 3]`` of each tensor.
        rms, rms_limit: its own error in units of its noise scale, RMS over the tensor, and what is allowed.
        failures: what is beyond its limit, in words; empty of a sound one.
        inherited: RMS of what its result errs by in all, over the RMS of the float64 value; size: the same of its own error.
        breaks: whether it makes what is not finite of operands that all are.
    """

    number: int
    name: str
    place: Place
    operands: str
    results: str
    rms: float = 0.0
    rms_limit: float = 1.0
    failures: list[str] = field(default_factory=list)
    size: float = 0.0
    inherited: float = 0.0
    breaks: bool = False

    @property
    def group(self) -> tuple[str, Place]:
        """Operations that are alike: of one name at one place."""
        return (self.name, self.place)


def _told(value: Any) -> str:
    flat = [t for v in value for t in (v if isinstance(v, (list, tuple)) else (v,)) if isinstance(t, torch.Tensor)]
    return ", ".join(f"{str(t.dtype).removeprefix('torch.')}{list(t.shape)}" for t in flat)


def _rms(x: torch.Tensor) -> float:
    return float(x.square().mean().sqrt()) if x.numel() else 0.0


class OperationWatch(DispatchMode):
    """Judges each operation, and follows what the replay would give without rounding.

    Attributes:
        seen: operations of the block, in their order.
        skipped: names of those that nothing can be said of, such as a package's own kernels.
        shadows: float64 values of everything.
    """

    def __init__(self, fmt: Format, limits: RatioLimits, places: Places, follow: tuple[str, Place] | None = None) -> None:
        """Args:
        fmt: what the block is computed in. limits: of the cell.
        follow: operations whose own errors the shadows take on; nothing is judged then.
        """
        super().__init__()
        self.fmt, self.limits, self.places, self.follow = fmt, limits, places, follow
        self.seen: list[Seen] = []
        self.skipped: dict[str, int] = {}
        self.shadows = Shadows()
        self.bits: dict[Any, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = {}  # integers that are the bits of floating-point numbers

    def give(self, tensors: Mapping[torch.Tensor, torch.Tensor]) -> None:
        """Float64 values of tensors that no operation here has made, such as parameters."""
        for x, exact in tensors.items():
            self.shadows.set(x.detach(), exact.detach().to(torch.float64, copy=True))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        place = self.places.here()
        told = _told(args)
        view = is_view(func)
        wide = widened((args, kwargs), copy=mutates(func)) if not view and repeatable(func) else None
        shadow = self.shadows.run(func, args, kwargs)
        result = func(*args, **kwargs)
        if self._bits(func, args, result, place, told):
            return result
        errors: dict[int, torch.Tensor] = {}
        one = Seen(len(self.seen) + 1, str(func), place, told, _told(result if isinstance(result, (list, tuple)) else (result,)))
        if place.inside:
            self.seen.append(one)
        if wide is not None:
            errors = self._judge(one, func, wide, result)
        elif place.inside and not view and operation_of(func).rounds:
            self.skipped[one.name] = self.skipped.get(one.name, 0) + 1
        self.shadows.note(result, shadow, errors if self.follow == one.group else {})
        if self.follow is None and one.size:
            self._inherit(one, result)
        return result

    def _judge(self, one: Seen, func: Any, wide: Any, result: Any) -> dict[int, torch.Tensor]:
        """Compare the results with float64's; their errors."""
        args, kwargs = wide
        before = widened(wide, copy=True) if mutates(func) else wide
        exact = in_float64(func, args, kwargs)
        errors: dict[int, torch.Tensor] = {}
        several = isinstance(result, (list, tuple))
        for output, (got, true) in enumerate(zip(result, exact or (), strict=False) if several else [(result, exact)]):
            known = isinstance(got, torch.Tensor) and got.is_floating_point() and isinstance(true, torch.Tensor)
            if not known or got.shape != true.shape or not got.numel():
                continue
            low, true = widened(got), true.detach()
            if torch.equal(low, true):
                continue
            errors[output] = (low - true).nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
            if one.place.inside and self.follow is None:
                call = Call(func, before[0], before[1], operation_of(func), output if several else None, true, low)
                self._compare(one, call, got.dtype)
        return errors

    def _compare(self, one: Seen, call: Call, dtype: torch.dtype) -> None:
        roundoff = allowed(self.fmt, dtype, call.exact.device.type)
        own = FORMATS.get(str(dtype).removeprefix("torch."), self.fmt)
        u = roundoff["product" if call.operation.product else "operation"] if call.operation.rounds else roundoff["stored"]
        lost = bool((~torch.isfinite(call.result)).any())
        if lost and all(bool(torch.isfinite(t).all()) for t in call.args if isinstance(t, torch.Tensor)):
            one.breaks = True
        if not lost and within_one_rounding(call.result, call.exact, u, roundoff["underflow"]):
            one.rms = max(one.rms, simple_ratio(call.result, call.exact, u))
        elif bool(torch.isfinite(call.exact).all()):
            self._take(one, call, judged(call, roundoff, own, self.limits))
        if not lost:
            one.size = max(one.size, _rms(call.result - call.exact) / (_rms(call.exact) or 1.0))

    def _take(self, one: Seen, call: Call, quantity: Any) -> None:
        rms = math.inf if quantity.rms is None else quantity.rms
        if (quantity.failures and not one.failures) or rms > one.rms:
            one.rms, one.rms_limit = rms, quantity.rms_limit or one.rms_limit
        one.failures += quantity.failures

    def _inherit(self, one: Seen, result: Any) -> None:
        for got in result if isinstance(result, (list, tuple)) else (result,):
            if isinstance(got, torch.Tensor) and got.is_floating_point() and got.numel():
                value = self.shadows.get(got)
                one.inherited = max(one.inherited, _rms(widened(got) - value) / (_rms(value) or 1.0))

    def _bits(self, func: Any, args: Any, result: Any, place: Place, told: str) -> bool:
        """Follow numbers whose bits are worked on as integers' and taken for numbers again; whether this is such an operation."""
        if not isinstance(result, torch.Tensor) or not args:
            return False
        known = [self.bits[key_of(a)] for a in args if isinstance(a, torch.Tensor) and not a.is_floating_point() and key_of(a) in self.bits]
        first = args[0]
        reinterprets = isinstance(first, torch.Tensor) and operation_of(func).name == "view" and result.dtype != first.dtype
        if reinterprets and first.is_floating_point() and not result.is_floating_point() and result.shape == first.shape:
            self.bits[key_of(result)] = (result, widened(first, copy=True), self.shadows.get(first))
            return True
        if not known or known[0][1].shape != result.shape or result.dtype == torch.bool:
            return False
        _, value, shadow = known[0]
        if not result.is_floating_point():
            self.bits[key_of(result)] = (result, value, shadow)
            return True
        if not reinterprets:
            return False
        one = Seen(len(self.seen) + 1, str(func), place, told, _told((result,)))
        self.seen.append(one)
        call = Call(func, args, {}, operation_of(func), None, value, widened(result))
        self._compare(one, call, result.dtype)
        error = call.result - value
        self.shadows.note(result, shadow.clone(), {0: error} if self.follow == one.group else {})
        self._inherit(one, result)
        return True
