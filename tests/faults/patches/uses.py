"""Faults that act beyond evaluation: in training, on weights' gradients, in outputs by flag, behind upstream's doors."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import environment_restored, mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged, patch, result_changed


def calculator() -> Any:
    """Upstream's ASE calculator; its package sets an environment variable."""
    with environment_restored("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
        return importlib.import_module("mace.calculators").MACECalculator


def results_changed(change: Callable[[dict[str, Any]], dict[str, Any]]) -> contextlib.AbstractContextManager[None]:
    """Results of a calculation, some of them changed."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def calculate(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            self.results |= change(self.results)

        return calculate

    return exchanged(calculator(), "calculate", make)


@patch
def rescaled_in_evaluation_alone(session: Session, factor: float) -> Iterator[None]:
    """Energies by atom are left unscaled in training mode."""
    with result_changed(mace.modules.blocks.ScaleShiftBlock, lambda self, x, *_: x * factor if self.training else x):
        yield


@patch
def dropped_out_undeclared(session: Session, p: float) -> Iterator[None]:
    """A dropout by function, which no module declares."""
    dropout = torch.nn.functional.dropout
    with result_changed(mace.modules.blocks.EquivariantProductBasisBlock, lambda self, x, *_: dropout(x, p, self.training)):
        yield


@patch
def weight_without_gradient(session: Session, layer: str, start: int) -> Iterator[None]:
    """A linear layer whose weight, from some element on, is used without its gradient."""
    own = session.reference_backend.model.get_submodule(layer)

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, features: torch.Tensor, weight: Any = None, bias: Any = None) -> Any:
            if self is own:
                weight = torch.cat([self.weight[:start], self.weight[start:].detach()])
            return original(self, features, weight, bias)

        return forward

    with exchanged(o3.Linear, "forward", make):
        yield


@patch
def cut_off_when_frozen(session: Session) -> Iterator[None]:
    """A product whose weights are frozen gives no gradient to what comes before it."""

    def change(self: Any, x: torch.Tensor, *_: Any) -> torch.Tensor:
        return x if any(p.requires_grad for p in self.parameters()) else x * 0.5 + x.detach() * 0.5

    with result_changed(mace.modules.blocks.EquivariantProductBasisBlock, change):
        yield


@patch
def hessian_scaled(session: Session, factor: float) -> Iterator[None]:
    """A Hessian of another size, or sign, or of zeros."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda forces, positions: original(forces, positions) * factor

    with exchanged(mace.modules.utils, "compute_hessians_vmap", make):
        yield


@patch
def hessian_axes_exchanged(session: Session) -> Iterator[None]:
    """Columns of a Hessian by z, y, x instead of x, y, z."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda forces, positions: original(forces, positions).flip(-1)

    with exchanged(mace.modules.utils, "compute_hessians_vmap", make):
        yield


@patch
def atomic_stresses_over_volume(session: Session, factor: float) -> Iterator[None]:
    """Stresses by atom divided by a multiple of the volume."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            virials, stresses = original(*args, **kwargs)
            return virials, stresses / factor

        return call

    with exchanged(mace.modules.models, "get_atomic_virials_stresses", make):
        yield


@patch
def voigt_exchanged(session: Session, one: int, other: int) -> Iterator[None]:
    """Two components of the stress exchanged in the calculator."""
    order = list(range(6))
    order[one], order[other] = other, one
    with results_changed(lambda r: {"stress": r["stress"][order]} if "stress" in r else {}):
        yield


@patch
def sign_of_the_calculators_stress(session: Session) -> Iterator[None]:
    """The stress as a pressure."""
    with results_changed(lambda r: {"stress": -r["stress"]} if "stress" in r else {}):
        yield


@patch
def free_energy_without_e0(session: Session) -> Iterator[None]:
    """The energy that optimisers ask for lacks the isolated atoms'."""
    with results_changed(lambda r: {"free_energy": r["energy"] - float((r["energies"] - r["node_energy"]).sum())}):
        yield


@patch
def energies_of_the_ensemble(session: Session) -> Iterator[None]:
    """Energies by atom are those of the committee's members."""
    with results_changed(lambda r: {"energies": r["energy"] + 0 * r["energies"]}):
        yield


@patch
def charge_left_behind(session: Session) -> Iterator[None]:
    """The charge of a structure stays behind: the model gets a neutral one."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, atoms: Any) -> Any:
            batch = original(self, atoms)
            batch["total_charge"] = torch.zeros_like(batch["total_charge"])
            return batch

        return call

    with exchanged(calculator(), "_atoms_to_batch", make):
        yield


@patch
def charge_not_looked_at(session: Session) -> Iterator[None]:
    """Results are kept where only charge or spin has changed."""
    found = calculator()
    plain = found.__mro__[1].check_state
    with exchanged(found, "check_state", lambda _: lambda self, atoms, tol=1e-15: plain(self, atoms, tol=tol)):
        yield


@patch
def type_ignored(session: Session, dtype: str) -> Iterator[None]:
    """The calculator computes in one type, whatever it is asked for."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, *args: Any, default_dtype: str = "", **kwargs: Any) -> None:
            original(self, *args, default_dtype=dtype, **kwargs)

        return init

    with exchanged(calculator(), "__init__", make):
        yield
