"""Upstream's converters between e3nn and cuEquivariance, watched: what they log, skip and change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mpcheck.adapters.backends.converter import Converted, StateComparison, compared, complaints, gathered, logged, same_state
from mpcheck.adapters.backends.design import DESIGN, Configuration
from mpcheck.adapters.backends.layout import Layout
from mpcheck.adapters.backends.parametrisation import path_parameters
from mpcheck.adapters.backends.weights import contraction_rounding, cueq_parameters, mapped_rounding
from mpcheck.adapters.upstream import SymmetricContraction, default_dtype, quiet

if TYPE_CHECKING:
    from mpcheck.adapters.backends.protocol import BackendModel


def _watched(convert: Callable[..., torch.nn.Module], model: torch.nn.Module, device: torch.device, **options: str) -> Converted:
    """A converter of upstream's under a float64 default dtype, with what it logs."""
    with quiet(), default_dtype(torch.float64), torch.random.fork_rng(devices=[]), logged() as records:
        made = convert(model, device=device.type, return_model=True, **options)
    return Converted(made.to(device).eval(), complaints(records))


def to_cueq(model: torch.nn.Module, layout: Layout, device: torch.device) -> Converted:
    """The cuEquivariance twin by upstream's converter.

    Raises:
        Exception: whatever upstream raises on an architecture that it cannot convert.
    """
    from mace.cli.convert_e3nn_cueq import run

    return _watched(run, model, device, layout=layout)


def cueq_to_e3nn(twin: torch.nn.Module, device: torch.device) -> Converted:
    """The e3nn model of a cuEquivariance twin by upstream's converter.

    Raises:
        Exception: whatever upstream raises on an architecture that it cannot convert.
    """
    from mace.cli.convert_cueq_e3nn import run

    return _watched(run, twin, device)


def oeq_to_e3nn(twin: torch.nn.Module, device: torch.device) -> Converted:
    """The e3nn model of an OpenEquivariance twin by upstream's converter; raises as :func:`cueq_to_e3nn`."""
    from mace.cli.convert_oeq_e3nn import run

    return _watched(run, twin, device)


def cueq_kept(source: torch.nn.Module, twin: torch.nn.Module, returned: bool = False) -> StateComparison:
    """Every parameter of a twin against the explicit map of the e3nn model's (:func:`cueq_parameters`): none lost, none extra.

    Args:
        returned: the e3nn model was made of the twin, so that the way back has rounded as well.
    """
    wanted, got = cueq_parameters(source), dict(twin.named_parameters())
    contractions = _contractions(source)
    unmapped = [n for n, _ in contractions if f"{n}.weight" not in wanted]
    known = set(wanted) | {f"{n}.weight" for n in unmapped}
    failures = [*gathered(set(wanted), set(got), "lost"), *gathered({n for n, p in got.items() if p.numel()}, known, "extra")]
    allowed = {f"{n}.weight": mapped_rounding(module, _own(module), returned) for n, module in contractions}
    return compared(failures, {n: (got[n].detach(), w) for n, w in wanted.items() if n in got}, allowed, unmapped)


@dataclass
class CueqConverter:
    """Upstream's converters of one layout; ``make`` wraps a source, its twin and their device."""

    layout: Layout
    make: Callable[[torch.nn.Module, torch.nn.Module, torch.device], BackendModel]
    package: str = "mace-torch"
    configurations: tuple[Configuration, ...] = DESIGN

    def there(self, model: torch.nn.Module, device: torch.device) -> Converted:
        """See :func:`to_cueq`."""
        return to_cueq(model, self.layout, device)

    def back(self, twin: torch.nn.Module, device: torch.device) -> Converted:
        """The e3nn model of a twin by upstream's converter."""
        return cueq_to_e3nn(twin, device)

    def wrapped(self, source: torch.nn.Module, twin: torch.nn.Module, device: torch.device) -> BackendModel:
        """The twin as the backend calls it."""
        return self.make(source, twin, device)

    def round_trip(self, source: torch.nn.Module, returned: torch.nn.Module) -> StateComparison:
        """Every parameter and buffer of e3nn -> cuEquivariance -> e3nn against the source: name, shape, dtype and bits.

        Only the weights of symmetric contractions go through arithmetic (a projection and its inverse): they may move by its
        rounding, which is bounded from the unit roundoff.
        """
        allowed: dict[str, torch.Tensor | None] = {}
        unmapped: list[str] = []
        for path, module in _contractions(source):
            own, names = _own(module), path_parameters(module)
            paths = [own[n].shape[1] for n in names]
            bound = contraction_rounding(module, own, round_trip=True)
            if bound is not None and bound.shape[1] == sum(paths):
                allowed.update({f"{path}.{n}": part for n, part in zip(names, bound.split(paths, dim=1), strict=True)})
            else:
                unmapped.append(path)
        return same_state(source, returned, allowed, unmapped)

    def parameters(self, source: torch.nn.Module, twin: torch.nn.Module) -> StateComparison:
        """Every parameter of the twin; see :func:`cueq_kept`."""
        return cueq_kept(source, twin)


def _contractions(model: torch.nn.Module) -> list[tuple[str, SymmetricContraction]]:
    return [(path, module) for path, module in model.named_modules() if isinstance(module, SymmetricContraction)]


def _own(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {n: p.detach() for n, p in module.named_parameters()}
