"""Upstream's converters between e3nn and cuEquivariance, watched: what they log, skip and change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from mpcheck._garbage import no_collection
from mpcheck.adapters.backends.converter import Converted, StateComparison, compared, complaints, gathered, logged, same_state
from mpcheck.adapters.backends.design import DESIGN, Configuration
from mpcheck.adapters.backends.layout import Layout
from mpcheck.adapters.backends.parametrisation import takes_reduced, weight_map
from mpcheck.adapters.backends.weights import contraction_rounding, cueq_parameters, mapped_rounding
from mpcheck.adapters.blocks import leaf_modules
from mpcheck.adapters.facts.tables import construction_rounding, is_u_matrix
from mpcheck.adapters.upstream import SymmetricContraction, default_dtype, quiet

if TYPE_CHECKING:
    from mpcheck.adapters.backends.protocol import BackendModel


def _watched(convert: Callable[..., torch.nn.Module], model: torch.nn.Module, device: torch.device, **options: str) -> Converted:
    """A converter of upstream's under a float64 default dtype, with what it logs.

    What it makes stays: to look through it for garbage again and again takes a third of the time (5.2 s, without 3.6 s).
    """
    with no_collection(), quiet(), default_dtype(torch.float64), torch.random.fork_rng(devices=[]), logged() as records:
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


def to_oeq(model: torch.nn.Module, device: torch.device) -> Converted:
    """The OpenEquivariance twin of an e3nn model by upstream's converter.

    Raises:
        NotImplementedError: a model of one layer, of which the converter asks for a second, or one whose layers it would not bring over as
            they are: it copies the average number of neighbours of the first two and gives that of the first to all others.
        Exception: as :func:`to_cueq`.
    """
    from mace.cli.convert_e3nn_oeq import run

    layers: Any = model.interactions
    try:
        made = _watched(run, model, device)
    except IndexError as error:
        if len(layers) == 1:
            raise NotImplementedError(f"upstream's converter to OpenEquivariance reads two layers, and the model has one ({error})") from error
        raise
    twins: Any = made.model.interactions
    for i, (layer, own) in enumerate(zip(layers, twins, strict=True)):
        if (wanted := float(layer.avg_num_neighbors)) != (got := float(own.avg_num_neighbors)):
            what = f"layer {i} of {len(layers)} as it is: its avg_num_neighbors {wanted:g} became {got:g}"
            raise NotImplementedError(f"upstream's converter to OpenEquivariance does not bring over {what}")
    return made


def to_hybrid(model: torch.nn.Module, device: torch.device) -> Converted:
    """The twin with convolutions of OpenEquivariance, and everything else of cuEquivariance in ir_mul, by upstream's converter; raises as
    :func:`to_cueq`.
    """
    from mace.cli.convert_e3nn_hybrid import run

    return _watched(run, model, device)


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
    reduced = takes_reduced(source)
    allowed = {f"{n}.weight": mapped_rounding(weight_map(module, reduced), _own(module), returned) for n, module in contractions}
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
        """Every parameter and buffer of e3nn -> cuEquivariance -> e3nn against the source: name, shape, dtype and value.

        Only the weights of symmetric contractions may go through arithmetic (a projection and its inverse): those that do may move by
        its rounding, which is bounded from the unit roundoff. U matrices are computed anew, to the roundings of that.
        """
        tables = {n: b for n, b in source.named_buffers() if is_u_matrix(n) and b.numel()}
        allowed: dict[str, torch.Tensor | None] = {n: construction_rounding(b).expand_as(b) for n, b in tables.items()}
        unmapped: list[str] = []
        for path, module in _contractions(source):
            own, known = _own(module), weight_map(module, takes_reduced(source))
            if known is None:
                unmapped.append(path)
            elif (bound := contraction_rounding(known, own, round_trip=True)) is not None:
                parts = bound.split([own[n].shape[1] for n in known.names], dim=1)
                allowed.update({f"{path}.{n}": part for n, part in zip(known.names, parts, strict=True)})
        added, dropped = _of_releases(source, returned)
        return same_state(source, returned, allowed, unmapped, added, dropped)

    def parameters(self, source: torch.nn.Module, twin: torch.nn.Module) -> StateComparison:
        """Every parameter of the twin; see :func:`cueq_kept`."""
        return cueq_kept(source, twin)


def _of_releases(source: torch.nn.Module, returned: torch.nn.Module) -> tuple[dict[str, torch.Tensor], set[str]]:
    """Where the release that saved a model and today's have other buffers: those that only today's have, as its constructors make them, or
    has in another type, which holds the same number; and names of those that a block of the same class has no more. Nothing where upstream
    cannot build the model anew.
    """
    from mace.tools.scripts_utils import extract_config_mace_model

    old, new = source.state_dict(), returned.state_dict()
    before, after = set(old), set(new)
    if before == after and all(old[n].dtype == new[n].dtype for n in before):
        return {}, set()
    try:
        with quiet(), default_dtype(torch.float64), torch.random.fork_rng(devices=[]):
            fresh = type(source)(**extract_config_mace_model(source))
    except Exception:  # of a model that upstream cannot describe nothing is known
        return {}, set()
    device, blocks = next(source.parameters()).device, dict(leaf_modules(fresh))
    same = [f"{path}." for path, block in leaf_modules(source) if type(block) is type(blocks.get(path))]
    own = {n for n, _ in source.named_buffers() if n.startswith(tuple(same))}
    made = {n: b.to(device) for n, b in fresh.named_buffers() if n in after - before}
    for name, buffer in fresh.named_buffers():
        if name in own & after and old[name].dtype != buffer.dtype and torch.equal(old[name].to(buffer.dtype).to(old[name].dtype), old[name]):
            made[name] = old[name].to(buffer.dtype)
    return made, (before - after - set(fresh.state_dict())) & own


def _contractions(model: torch.nn.Module) -> list[tuple[str, SymmetricContraction]]:
    return [(path, module) for path, module in model.named_modules() if isinstance(module, SymmetricContraction)]


def _own(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {n: p.detach() for n, p in module.named_parameters()}
