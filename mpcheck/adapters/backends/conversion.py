"""Upstream's converters between e3nn and cuEquivariance, watched: what they log, skip and change."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from mpcheck.adapters.backends.layout import Layout
from mpcheck.adapters.backends.parametrisation import path_parameters
from mpcheck.adapters.backends.weights import contraction_rounding, cueq_parameters
from mpcheck.adapters.upstream import SymmetricContraction, default_dtype, quiet

SKIPPED = "mismatch"  # what both converters log for a key that they leave out: at debug level one, as a warning the other


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextlib.contextmanager
def logged() -> Iterator[list[logging.LogRecord]]:
    """Everything that is logged to the root logger at any level, instead of its handlers; all put back."""
    root, collector = logging.getLogger(), _Collector()
    before = root.handlers, root.level, root.manager.disable
    root.handlers, root.manager.disable = [collector], 0
    root.setLevel(logging.DEBUG)
    try:
        yield collector.records
    finally:
        root.handlers, root.manager.disable = before[0], before[2]
        root.setLevel(before[1])


@dataclass(frozen=True)
class Converted:
    """A converted model, and what the converter complained about on the way."""

    model: torch.nn.Module
    complaints: list[str] = field(default_factory=list)


def _complaints(records: list[logging.LogRecord]) -> list[str]:
    return [r.getMessage() for r in records if r.levelno >= logging.WARNING or SKIPPED in r.getMessage().lower()]


def to_cueq(model: torch.nn.Module, layout: Layout, device: torch.device) -> Converted:
    """The cuEquivariance twin by upstream's converter.

    Raises:
        Exception: whatever upstream raises on an architecture that it cannot convert.
    """
    from mace.cli.convert_e3nn_cueq import run

    with quiet(), default_dtype(torch.float64), torch.random.fork_rng(devices=[]), logged() as records:
        twin = run(model, device=device.type, return_model=True, layout=layout)
    return Converted(twin.to(device).eval(), _complaints(records))


def to_e3nn(twin: torch.nn.Module, device: torch.device) -> Converted:
    """The e3nn model of a cuEquivariance twin by upstream's converter."""
    from mace.cli.convert_cueq_e3nn import run

    with quiet(), default_dtype(torch.float64), torch.random.fork_rng(devices=[]), logged() as records:
        model = run(twin, device=device.type, return_model=True)
    return Converted(model.to(device).eval(), _complaints(records))


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Bit by bit, so that NaN equals NaN and -0.0 does not equal 0.0."""
    return torch.equal(a.detach().contiguous().reshape(-1).view(torch.uint8), b.detach().contiguous().reshape(-1).view(torch.uint8))


def _compared(name: str, got: torch.Tensor, wanted: torch.Tensor, allowed: torch.Tensor | None) -> tuple[str, float]:
    """What is wrong with one tensor (empty: nothing), and its distance by what rounding allows."""
    if got.shape != wanted.shape:
        return f"{name}: reshaped from {list(wanted.shape)} to {list(got.shape)}", 0.0
    if got.dtype != wanted.dtype:
        return f"{name}: {wanted.dtype} became {got.dtype}", 0.0
    if not wanted.numel() or _same(got, wanted):
        return "", 0.0
    if allowed is None:
        difference = (got.double() - wanted.double()).abs().max()
        return f"{name}: changed by up to {float(difference):.3g}; it must stay bit by bit", 0.0
    difference = (got - wanted).abs()
    ratio = torch.where(difference == 0, torch.zeros_like(difference), difference / allowed)
    largest = float(ratio.max()) if bool(torch.isfinite(ratio).all()) else float("inf")
    return ("" if largest <= 1.0 else f"{name}: moved by {largest:.3g} times what rounding of the projection allows"), largest


@dataclass(frozen=True)
class Comparison:
    """Failures by name, the largest distance in units of what rounding allows, and how many tensors were compared.

    ``unmapped`` are contractions whose weights cannot be compared: upstream's projection is not square, or unavailable.
    """

    failures: list[str]
    ratio: float
    tensors: int
    unmapped: list[str] = field(default_factory=list)


def _gathered(names: set[str], others: set[str], what: str) -> list[str]:
    return [f"{what} {n}" for n in sorted(names - others)]


def round_trip(source: torch.nn.Module, returned: torch.nn.Module) -> Comparison:
    """Every parameter and buffer of e3nn -> cuEquivariance -> e3nn against the source: name, shape, dtype and bits.

    Only the weights of symmetric contractions go through arithmetic (a projection and its inverse): they may move by its
    rounding, which is bounded from the unit roundoff.
    """
    a, b = source.state_dict(), returned.state_dict()
    failures = _gathered(set(a), set(b), "lost") + _gathered(set(b), set(a), "extra")
    allowed: dict[str, torch.Tensor] = {}
    unmapped: list[str] = []
    for path, module in source.named_modules():
        if not isinstance(module, SymmetricContraction):
            continue
        own = {n: p.detach() for n, p in module.named_parameters()}
        bound = contraction_rounding(module, own, round_trip=True)
        if bound is not None and bound.shape[1] == sum(own[n].shape[1] for n in path_parameters(module)):
            names = path_parameters(module)
            parts = bound.split([own[n].shape[1] for n in names], dim=1)
            allowed.update({f"{path}.{n}": part for n, part in zip(names, parts, strict=True)})
        else:
            unmapped.append(path)
    left_out = {f"{path}.{n}" for path in unmapped for n, _ in source.get_submodule(path).named_parameters()}
    return _all(failures, {n: (b[n], a[n], allowed.get(n)) for n in a if n in b and n not in left_out}, unmapped)


def parameters(source: torch.nn.Module, twin: torch.nn.Module) -> Comparison:
    """Every parameter of the twin against the explicit map of the source's (:func:`cueq_parameters`): none lost, none extra."""
    wanted, got = cueq_parameters(source), dict(twin.named_parameters())
    unmapped = [n for n, m in source.named_modules() if isinstance(m, SymmetricContraction) and f"{n}.weight" not in wanted]
    known = set(wanted) | {f"{n}.weight" for n in unmapped}
    failures = _gathered(set(wanted), set(got), "lost") + _gathered({n for n, p in got.items() if p.numel()}, known, "extra")
    allowed: dict[str, torch.Tensor | None] = {}
    for path, module in source.named_modules():
        if isinstance(module, SymmetricContraction):
            allowed[f"{path}.weight"] = contraction_rounding(module, {n: p.detach() for n, p in module.named_parameters()}, round_trip=False)
    return _all(failures, {n: (got[n].detach(), w, allowed.get(n)) for n, w in wanted.items() if n in got}, unmapped)


def _all(failures: list[str], pairs: dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]], unmapped: list[str]) -> Comparison:
    largest = 0.0
    for name, (got, wanted, allowed) in pairs.items():
        failure, ratio = _compared(name, got, wanted, allowed)
        largest = max(largest, ratio)
        failures += [failure] if failure else []
    return Comparison(failures, largest, len(pairs), unmapped)
