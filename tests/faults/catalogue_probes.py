"""Where each fault that the suite does not see can be seen: without this, a patch that does nothing would look unseen."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import torch

from mpcheck.adapters.casting import replaced, to_dtype
from mpcheck.adapters.steps import energy_sum
from mpcheck.session import Session

WATER = "builtin:water"


def _silu(session: Session) -> torch.Tensor:
    net = copy.deepcopy(session.reference_backend.model.get_submodule("interactions.0.conv_tp_weights")).float()
    x = torch.full((1, 8), 1e3, requires_grad=True)
    (first,) = torch.autograd.grad((net(x) + net(-x)).sum(), x, create_graph=True)
    assert bool(torch.isfinite(first).all())
    return torch.autograd.grad(first.sum(), x)[0]


def _ghosts(session: Session) -> torch.Tensor:
    return session.reference_backend.model.interactions[0].truncate_ghosts(torch.arange(3.0), 2).sum()  # type: ignore[union-attr,index,no-any-return]


def _vertical(session: Session) -> torch.Tensor:
    x = torch.tensor([[0.0, 1.5, 0.0]], dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(session.reference_backend.model.get_submodule("spherical_harmonics")(x).sum(), x)[0]


def _strided_cell(session: Session) -> torch.Tensor:
    graph = {k: v.clone() for k, v in session.graph(WATER).items()}
    graph["cell"] = graph["cell"].t().contiguous().t()
    return session.reference_backend.model(graph, compute_stress=True)["stress"]  # type: ignore[no-any-return]


def _calls(session: Session) -> torch.Tensor:
    graph = {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in session.graph(WATER).items()}
    model = session.reference_backend.model
    with replaced(model, to_dtype(torch.float32)):
        return torch.cat([model(dict(graph), compute_force=False)["energy"] for _ in range(20)]).double()


def _default_dtype(session: Session) -> torch.Tensor:
    block = session.reference_backend.model.get_submodule("scale_shift")
    block(torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.long))
    return torch.tensor(torch.get_default_dtype() == torch.float64)


def _sum(session: Session) -> torch.Tensor:
    return energy_sum(torch.tensor([1.0, 1e-9], dtype=torch.float64), torch.zeros(2, dtype=torch.long), dim=0, dim_size=1)


def _radial(session: Session) -> torch.Tensor:
    return session.reference_backend.model.get_submodule("radial_embedding.bessel_fn")(torch.ones(1, 1, dtype=torch.float64))  # type: ignore[no-any-return]


def _first_call(session: Session) -> torch.Tensor:
    began = time.perf_counter()
    session.reference_backend.model.get_submodule("products.0.linear")(torch.zeros(7, 64, dtype=torch.float64))
    return torch.tensor(time.perf_counter() - began > 0.15)


def _wide_twin(session: Session) -> torch.Tensor:
    import cuequivariance as cue
    import cuequivariance_torch as cuet

    vectors = cue.Irreps("O3", "1x1o")
    made = cuet.ChannelWiseTensorProduct(vectors, vectors, cue.Irreps("O3", "0e"), layout=cue.mul_ir, method="naive")
    return torch.tensor(made.weight_numel)


PROBES: dict[str, Callable[[Session], torch.Tensor]] = {
    "silu_by_exponential": _silu, "ghosts_kept": _ghosts, "harmonics_gradient_along_the_axis": _vertical,
    "strides_of_the_cell_assumed": _strided_cell, "edge_dropped_now_and_then": _calls, "waits_for_every_shape": _first_call,
    "filter_ignored": _wide_twin, "default_dtype_left": _default_dtype, "energies_summed_in": _sum,
    "another_bessel_prefactor": _radial,
}  # fmt: skip
"""By patch: numbers that it changes, and that are what they were without it."""
