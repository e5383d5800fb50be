"""Benign rewritings: the same mathematics by other sound roundings, as an upstream's next commit may have it.

Each is a patch of upstream's code in its place; :data:`REWRITINGS` names the leaf blocks in which it acts. Besides these there are the
twins of ``twins.yaml`` that round otherwise, and the other orders of sums of ``tests/stability``.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch

from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged
from tests.faults.twins import TWINS
from tests.faults.twins.acting import Acts
from tests.stability.variations import backwards, fused, products, scatters

MLP, ACTIVATIONS = "interactions.*.conv_tp_weights", ("interactions.*.conv_tp_weights", "readouts.*.non_linearity")


@dataclass(frozen=True)
class Rewriting:
    """One change and where it acts: patterns of leaf blocks."""

    plant: Callable[[Session, Acts], contextlib.AbstractContextManager[None]]
    blocks: tuple[str, ...]

    def leaves(self, session: Session, system: str) -> list[str]:
        """Leaf blocks and steps in which it acts."""
        every = session.library(system).blocks()
        return [b.name for b in every if b.kind != "composite" and any(fnmatchcase(b.name, p) for p in self.blocks)]

    def around(self, session: Session, system: str) -> list[str]:
        """Composites around these."""
        leaves = self.leaves(session, system)
        every = session.library(system).blocks()
        return [b.name for b in every if b.kind == "composite" and any(n.startswith(f"{b.name}.") for n in leaves)]


@contextlib.contextmanager
def _activation(acts: Acts, compute: Callable[[Any, torch.Tensor], torch.Tensor]) -> Iterator[None]:
    from e3nn.math import normalize2mom

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            if self.f is not torch.nn.functional.silu:
                found: torch.Tensor = original(self, x)
                return found
            acts()
            return compute(self, x)

        return forward

    with exchanged(normalize2mom, "forward", make):
        yield


def silu_as_product(session: Session, acts: Acts) -> contextlib.AbstractContextManager[None]:
    """Silu as x sigmoid(x): two operations for one, in the type of the tensor."""
    return _activation(acts, lambda self, x: x * torch.sigmoid(x) * self.cst)


def silu_as_quotient(session: Session, acts: Acts) -> contextlib.AbstractContextManager[None]:
    """Silu as x / (1 + exp(-x)), in float32 at least (exp overflows in 16 bits), rounded once."""

    def compute(self: Any, x: torch.Tensor) -> torch.Tensor:
        wide = x if x.dtype == torch.float64 else x.float()
        return (wide / (1 + torch.exp(-wide)) * self.cst).to(x.dtype)

    return _activation(acts, compute)


def moment_by_division(session: Session, acts: Acts) -> contextlib.AbstractContextManager[None]:
    """The activation's second moment is divided by instead of its reciprocal multiplied with."""
    return _activation(acts, lambda self, x: self.f(x) / (1.0 / self.cst))


@contextlib.contextmanager
def layers_scaled_before(session: Session, acts: Acts) -> Iterator[None]:
    """Layers of the radial network scale their input instead of their weights, by a reciprocal."""
    from e3nn.nn._fc import _Layer

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            if self.act is None:
                found: torch.Tensor = original(self, x)
                return found
            acts()
            scaled: torch.Tensor = self.act((x * (1.0 / (self.h_in * self.var_in) ** 0.5)) @ self.weight) * self.var_out**0.5
            return scaled

        return forward

    with exchanged(_Layer, "forward", make):
        yield


@contextlib.contextmanager
def lengths_by_squares(session: Session, acts: Acts) -> Iterator[None]:
    """Lengths of edges as the root of a sum of squares; vectors as shift plus difference."""

    def make(_: Any) -> Any:
        def call(positions: torch.Tensor, edge_index: torch.Tensor, shifts: torch.Tensor, normalize: bool = False, eps: float = 1e-9) -> Any:
            acts()
            vectors = positions.index_select(0, edge_index[1]) - positions.index_select(0, edge_index[0]) + shifts
            lengths = (vectors * vectors).sum(-1, keepdim=True).sqrt()
            return (vectors / (lengths + eps) if normalize else vectors), lengths

        return call

    with exchanged(mace.modules.utils, "get_edge_vectors_and_lengths", make):
        yield


@contextlib.contextmanager
def envelope_by_products(session: Session, acts: Acts) -> Iterator[None]:
    """The cut-off polynomial by repeated products instead of ``pow``, its argument by a reciprocal."""
    from mace.modules.radial import PolynomialCutoff

    def make(_: Any) -> Any:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            acts()
            p, t = int(self.p), x * (1.0 / self.r_max)
            power = functools.reduce(torch.mul, [t] * p)
            found: torch.Tensor = 1.0 - (p + 1.0) * (p + 2.0) / 2.0 * power + p * (p + 2.0) * (power * t) - p * (p + 1.0) / 2 * (power * t * t)
            return found * (x < self.r_max)

        return forward

    with exchanged(PolynomialCutoff, "forward", make):
        yield


@contextlib.contextmanager
def energies_by_einsum(session: Session, acts: Acts) -> Iterator[None]:
    """Atomic energies as a sum of elementwise products instead of a matrix product."""

    def make(_: Any) -> Any:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            acts()
            return (x.unsqueeze(1) * torch.atleast_2d(self.atomic_energies).to(x).unsqueeze(0)).sum(-1)

        return forward

    with exchanged(mace.modules.blocks.AtomicEnergiesBlock, "forward", make):
        yield


@contextlib.contextmanager
def harmonics_of_unit_vectors(session: Session, acts: Acts) -> Iterator[None]:
    """Vectors are normalised by a reciprocal root before spherical harmonics normalise them again."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            acts()
            found: torch.Tensor = original(self, x * torch.rsqrt((x * x).sum(-1, keepdim=True)) if self.normalize else x)
            return found

        return forward

    with exchanged(o3.SphericalHarmonics, "forward", make):
        yield


def _mode(make: Callable[[], contextlib.AbstractContextManager[Callable[[], int]]]) -> Callable[..., Any]:
    @contextlib.contextmanager
    def plant(session: Session, acts: Acts) -> Iterator[None]:
        with make() as count:
            yield
            acts.calls += count()

    return plant


REWRITINGS: Mapping[str, Rewriting] = {
    "silu as x sigmoid(x)": Rewriting(silu_as_product, ACTIVATIONS),
    "silu as x / (1 + exp(-x))": Rewriting(silu_as_quotient, ACTIVATIONS),
    "silu by tanh": Rewriting(TWINS["silu_by_tanh"], ACTIVATIONS),
    "division for multiplication": Rewriting(moment_by_division, ACTIVATIONS),
    "inputs scaled, not weights": Rewriting(layers_scaled_before, (MLP,)),
    "root of squares for norm": Rewriting(lengths_by_squares, ("edge_vectors",)),
    "products for pow": Rewriting(envelope_by_products, ("radial_embedding.cutoff_fn",)),
    "envelope in Horner form": Rewriting(TWINS["envelope_in_horner_form"], ("radial_embedding.cutoff_fn",)),
    "sine over distance apart": Rewriting(TWINS["bessel_reassociated"], ("radial_embedding.bessel_fn",)),
    "sum of products for matmul": Rewriting(energies_by_einsum, ("atomic_energies_fn",)),
    "unit vectors before harmonics": Rewriting(harmonics_of_unit_vectors, ("spherical_harmonics",)),
    "multiply-add in one": Rewriting(TWINS["scale_and_shift_fused"], ("scale_shift",)),
    "pairwise sum of energies": Rewriting(TWINS["energies_summed_pairwise"], ("energy_sum*",)),
    "sums backwards": Rewriting(_mode(functools.partial(products, backwards)), ("*",)),
    "fused multiply-add in products": Rewriting(_mode(functools.partial(products, fused)), ("*",)),
    "neighbours in another order": Rewriting(_mode(scatters), ("interactions.*.scatter", "energy_sum*")),
}
"""By what is done for what."""
