"""What a backend's conversion is judged by: the way there, the way back, and how far each tensor may move."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from mpcheck.adapters.backends.design import Configuration
    from mpcheck.adapters.backends.protocol import BackendModel

SKIPPED = "mismatch"  # what upstream's converters log for a key that they leave out: at debug level one, as a warning the other
Allowed = Mapping[str, torch.Tensor | None]
"""How far rounding may move a tensor, per element; None or absent where no arithmetic is known of, see :data:`FACTORED`."""
FACTORED = 4.0
"""Unit roundoffs of a number that a factor was put into on the way there and taken out of on the way back: two roundings, each of
two at most where the number lies just above a power of two. Whole numbers stay."""


@dataclass(frozen=True)
class Converted:
    """A converted model, and what the converter complained about on the way."""

    model: torch.nn.Module
    complaints: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class StateComparison:
    """Failures by name, the largest distance in units of what rounding allows, and how many tensors were compared.

    ``unmapped`` are modules whose parameters cannot be compared: no invertible map of them is known.
    """

    failures: list[str]
    ratio: float
    tensors: int
    unmapped: list[str] = field(default_factory=list)


class Converter(Protocol):
    """A backend's conversion from an e3nn model and back, watched by the conversion check.

    Attributes:
        package: distribution of the converter, whose known limits hold; empty where none are on record.
        configurations: small architectures on which it is tried.
    """

    package: str
    configurations: tuple[Configuration, ...]

    def there(self, model: torch.nn.Module, device: torch.device) -> Converted:
        """The backend's twin of a float64 e3nn model.

        Raises:
            Exception: whatever the converter raises on an architecture that it cannot convert.
        """

    def back(self, twin: torch.nn.Module, device: torch.device) -> Converted:
        """The e3nn model of a twin."""

    def wrapped(self, source: torch.nn.Module, twin: torch.nn.Module, device: torch.device) -> BackendModel:
        """A converted model as the backend calls it."""

    def round_trip(self, source: torch.nn.Module, returned: torch.nn.Module) -> StateComparison:
        """Every parameter and buffer that came back against the source's; :func:`same_state` where all must stay."""

    def parameters(self, source: torch.nn.Module, twin: torch.nn.Module) -> StateComparison:
        """Every parameter of the twin against an explicit map of the source's; :func:`same_parameters` where it is the identity."""


def same_state(
    source: torch.nn.Module,
    returned: torch.nn.Module,
    allowed: Allowed | None = None,
    unmapped: Collection[str] = (),
    added: Mapping[str, torch.Tensor] | None = None,
    dropped: Collection[str] = (),
) -> StateComparison:
    """Every parameter and buffer of a round trip: name, shape, dtype and value within rounding.

    Args:
        allowed: by name, what rounding may move. unmapped: modules whose own parameters are left out.
        added: what a model of today has besides, or in another type, by name. dropped: names of what a model of today has no more.
    """
    a, b = {n: t for n, t in source.state_dict().items() if n not in dropped} | dict(added or {}), returned.state_dict()
    left_out = {f"{path}.{n}" for path in unmapped for n, _ in source.get_submodule(path).named_parameters()}
    pairs = {n: (b[n], a[n]) for n in a if n in b and n not in left_out}
    return compared([*gathered(set(a), set(b), "lost"), *gathered(set(b), set(a), "extra")], pairs, allowed or {}, unmapped)


def same_parameters(source: torch.nn.Module, twin: torch.nn.Module) -> StateComparison:
    """Every parameter of a twin that keeps e3nn's parametrisation: name, shape, dtype and value within rounding."""
    a, b = ({n: p.detach() for n, p in model.named_parameters()} for model in (source, twin))
    return compared([*gathered(set(a), set(b), "lost"), *gathered(set(b), set(a), "extra")], {n: (b[n], a[n]) for n in a if n in b}, {})


def compared(
    failures: list[str], pairs: Mapping[str, tuple[torch.Tensor, torch.Tensor]], allowed: Allowed, unmapped: Collection[str] = ()
) -> StateComparison:
    """Pairs of what was got and what was wanted, by name, besides failures that are known already."""
    largest, problems = 0.0, list(failures)
    for name, (got, wanted) in pairs.items():
        failure, ratio = _distance(name, got, wanted, allowed.get(name))
        largest = max(largest, ratio)
        problems += [failure] if failure else []
    return StateComparison(problems, largest, len(pairs), list(unmapped))


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Bit by bit, so that NaN equals NaN."""
    return torch.equal(a.detach().contiguous().reshape(-1).view(torch.uint8), b.detach().contiguous().reshape(-1).view(torch.uint8))


def _distance(name: str, got: torch.Tensor, wanted: torch.Tensor, allowed: torch.Tensor | None) -> tuple[str, float]:
    """What is wrong with one tensor (empty: nothing), and its distance by what rounding allows."""
    if got.shape != wanted.shape:
        return f"{name}: reshaped from {list(wanted.shape)} to {list(got.shape)}", 0.0
    if got.dtype != wanted.dtype:
        return f"{name}: {wanted.dtype} became {got.dtype}", 0.0
    if not wanted.numel() or _same(got, wanted):
        return "", 0.0
    if allowed is None and not wanted.is_floating_point():
        return f"{name}: {int((got != wanted).sum())} of {wanted.numel()} whole numbers changed", 0.0
    # without a map that rounds more: a factor put in on the way there and taken out on the way back, and each result stored
    by = "rounding of the projection" if allowed is not None else "rounding"
    bound = allowed if allowed is not None else FACTORED * torch.finfo(wanted.dtype).eps / 2 * wanted.abs()
    difference = (got - wanted).abs()
    ratio = torch.where(difference == 0, torch.zeros_like(difference), difference / bound)
    largest = float(ratio.max()) if bool(torch.isfinite(ratio).all()) else float("inf")
    return ("" if largest <= 1.0 else f"{name}: moved by {largest:.3g} times what {by} allows, by up to {float(difference.max()):.3g}"), largest


def gathered(names: set[str], others: set[str], what: str) -> list[str]:
    """Names that others lack, as failures."""
    return [f"{what} {n}" for n in sorted(names - others)]


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


def complaints(records: list[logging.LogRecord]) -> list[str]:
    """What a converter logged as a warning, or of a key that it skipped."""
    return [r.getMessage() for r in records if r.levelno >= logging.WARNING or SKIPPED in r.getMessage().lower()]


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
