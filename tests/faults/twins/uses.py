"""Twins of faults beyond evaluation: the same places, where nothing of what counts is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged, patch, result_changed
from tests.faults.patches.uses import calculator, results_changed
from tests.faults.twins.acting import Acts


@patch
def rescaled_twice(session: Session, acts: Acts) -> Iterator[None]:
    """Energies by atom are doubled and halved again, in training mode and in evaluation."""

    def change(self: Any, x: torch.Tensor, *_: Any) -> torch.Tensor:
        acts()
        return (x * 2) * 0.5

    with result_changed(mace.modules.blocks.ScaleShiftBlock, change):
        yield


@patch
def dropout_of_nothing(session: Session, acts: Acts) -> Iterator[None]:
    """A dropout whose probability is zero, in training mode too."""

    def change(self: Any, x: torch.Tensor, *_: Any) -> torch.Tensor:
        acts()
        return torch.nn.functional.dropout(x, 0.0, self.training)

    with result_changed(mace.modules.blocks.EquivariantProductBasisBlock, change):
        yield


@patch
def weight_in_two_parts(session: Session, acts: Acts, layer: str, start: int) -> Iterator[None]:
    """A linear layer whose weight is put together of two parts, each with its gradient."""
    own = session.reference_backend.model.get_submodule(layer)

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, features: torch.Tensor, weight: Any = None, bias: Any = None) -> Any:
            if self is own:
                acts()
                weight = torch.cat([self.weight[:start], self.weight[start:]])
            return original(self, features, weight, bias)

        return forward

    with exchanged(o3.Linear, "forward", make):
        yield


@patch
def frozen_weights_taken_apart(session: Session, acts: Acts) -> Iterator[None]:
    """A product whose weights are frozen says so, and passes gradients on by another node."""

    def change(self: Any, x: torch.Tensor, *_: Any) -> torch.Tensor:
        acts()
        return x if any(p.requires_grad for p in self.parameters()) else x.view_as(x)

    with result_changed(mace.modules.blocks.EquivariantProductBasisBlock, change):
        yield


@patch
def hessian_by_rows(session: Session, acts: Acts) -> Iterator[None]:
    """Upstream's loop over coordinates instead of its vectorised pass."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(forces: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
            acts()
            return mace.modules.utils.compute_hessians_loop(forces, positions)

        return call

    with exchanged(mace.modules.utils, "compute_hessians_vmap", make):
        yield


@patch
def atomic_stresses_halved_and_doubled(session: Session, acts: Acts) -> Iterator[None]:
    """Stresses by atom over twice the volume, doubled."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            acts()
            virials, stresses = original(*args, **kwargs)
            return virials, (stresses / 2) * 2

        return call

    with exchanged(mace.modules.models, "get_atomic_virials_stresses", make):
        yield


@patch
def results_copied(session: Session, acts: Acts) -> Iterator[None]:
    """The calculator's arrays are copies."""

    def change(results: dict[str, Any]) -> dict[str, Any]:
        acts()
        return {n: v.copy() if hasattr(v, "copy") else v for n, v in results.items()}

    with results_changed(change):
        yield


@patch
def tensors_copied(session: Session, acts: Acts) -> Iterator[None]:
    """The calculator hands over copies of its tensors."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, atoms: Any) -> Any:
            acts()
            return original(self, atoms).clone()

        return call

    with exchanged(calculator(), "_atoms_to_batch", make):
        yield


@patch
def state_looked_at_twice(session: Session, acts: Acts) -> Iterator[None]:
    """The calculator compares atoms twice."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, atoms: Any, tol: float = 1e-15) -> Any:
            acts()
            return original(self, atoms, tol) or original(self, atoms, tol)

        return call

    with exchanged(calculator(), "check_state", make):
        yield


@patch
def type_by_position(session: Session, acts: Acts) -> Iterator[None]:
    """The calculator's type is passed on under its name."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            acts()
            original(self, *args, **{**kwargs, "default_dtype": str(kwargs.get("default_dtype", ""))})

        return init

    with exchanged(calculator(), "__init__", make):
        yield
