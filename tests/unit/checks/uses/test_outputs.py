"""Faults of what a model gives by flag turn the property red that they break."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.adapters.upstream import mace
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged
from tests.unit.checks.uses.small_models import built, judged, red, session_of

models, utils = mace.modules.models, mace.modules.utils
Planted = contextlib.AbstractContextManager[None]
Out = dict[str, Any]


def outputs(change: Callable[[Out, Mapping[str, bool]], Out], owner: Any = models.ScaleShiftMACE) -> Planted:
    """A model's outputs, changed where they are there, given its flags."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, data: Any, *args: Any, **flags: Any) -> Out:
            out: Out = original(self, data, *args, **flags)
            return out | {k: v for k, v in change({k: v for k, v in out.items() if v is not None}, flags).items() if out.get(k) is not None}

        return forward

    return exchanged(owner, "forward", make)


def scaled(name: str, factor: float, flag: str = "") -> Planted:
    return outputs(lambda out, flags: {name: out[name] * factor} if name in out and (not flag or flags.get(flag)) else {})


def by_function(name: str, change: Callable[[Any], Any], owner: Any = utils) -> Planted:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: change(original(*args, **kwargs))

    return exchanged(owner, name, make)


def one_element(h: torch.Tensor) -> torch.Tensor:
    moved = h.clone()
    moved[1, 0, 0] += 1e-6
    return moved


HESSIAN = {
    "sign": lambda h: -h,
    "half": lambda h: h / 2,
    "axes exchanged": lambda h: h.transpose(0, -1).reshape(h.shape) if h.dim() == 2 else h.flip(-1),
    "one element": one_element,
    "zero": torch.zeros_like,
    "rows of atoms exchanged": lambda h: h.reshape(-1, 3, *h.shape[1:]).transpose(0, 1).reshape(h.shape),
}


@pytest.mark.parametrize("name", HESSIAN)
def test_a_wrong_hessian(run: Session, name: str) -> None:
    with by_function("compute_hessians_vmap", HESSIAN[name]):
        found = red(judged(run, "outputs", "hessian"))
    assert "" in found and "not the derivative of the forces" in found[""]
    assert ("sign is turned" in found[""]) == (name == "sign")


def test_a_hessian_that_leaks_from_one_structure_into_the_next(run: Session) -> None:
    with by_function("compute_hessians_vmap", lambda h: h + (1e-9 * h.roll(1, 1) if h.shape[0] > 9 else 0)):
        assert set(red(judged(run, "outputs", "hessian"))) == {"batch"}


def test_a_hessian_that_is_left_out(run: Session) -> None:
    with by_function("compute_hessians_vmap", lambda h: None):
        assert "not among the outputs" in red(judged(run, "outputs", "hessian"))[""]


PER_ATOM = {
    "stress over twice the volume": (lambda: scaled("stress", 0.5), "stress"),
    "sign of the stress": (lambda: scaled("stress", -1), "stress"),
    "atomic stresses over twice the volume": (lambda: scaled("atomic_stresses", 0.5), "atomic_stresses"),
    "sign of edge forces": (lambda: scaled("edge_forces", -1), "edge_forces"),
    "half of edge forces": (lambda: scaled("edge_forces", 0.5), "edge_forces"),
    "atomic virials of senders alone": (lambda: scaled("atomic_virials", 0.5), "atomic_virials"),
    "stress not symmetric": (lambda: outputs(lambda out, _: {"virials": _skewed(out["virials"])} if "virials" in out else {}), "virials"),
    "stress over the first volume": (lambda: outputs(lambda out, _: _first_volume(out)), "stress"),
}


def _skewed(v: torch.Tensor) -> torch.Tensor:
    return v + 1e-9 * torch.tensor([[0.0, 1, 0], [0, 0, 0], [0, 0, 0]], dtype=v.dtype)


def _first_volume(out: Out) -> Out:
    if "stress" not in out or len(out["stress"]) < 2:
        return {}
    ratio = -out["virials"][0, 0, 0] / out["stress"][0, 0, 0]
    return {"stress": -out["virials"] / ratio}


@pytest.mark.parametrize("name", PER_ATOM)
def test_parts_that_do_not_fit(run: Session, name: str) -> None:
    fault, variant = PER_ATOM[name]
    with fault():
        assert variant in red(judged(run, "outputs", "per-atom"))


FLAGS = {
    "forces lost with edge forces": ("forces", 0.0, "compute_edge_forces"),
    "forces with a Hessian": ("forces", 1 + 1e-9, "compute_hessian"),
    "energy with a displacement": ("energy", 1 + 1e-9, "compute_displacement"),
    "stress with atomic stresses": ("stress", 2.0, "compute_atomic_stresses"),
}


@pytest.mark.parametrize("name", FLAGS)
def test_what_is_asked_for_besides(run: Session, name: str) -> None:
    with scaled(*FLAGS[name]):
        found = red(judged(run, "outputs", "flags"))
    assert found and all("asked for, is not what it is" in reason for reason in found.values())


def test_parts_of_the_energy(run: Session, heads: Session) -> None:
    with scaled("interaction_energy", 1 + 1e-9):
        assert "interaction energy and E0" in red(judged(run, "outputs", "parts"))[""]

    def of_the_first(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, x: original(self, x)[:, :1].expand(-1, 2)

    with exchanged(mace.modules.blocks.AtomicEnergiesBlock, "forward", of_the_first):
        assert red(judged(heads, "outputs", "parts")), "E0 of the first head for all"


def test_a_displacement_that_counts_twice(run: Session) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            positions, shifts, displacement = original(*args, **kwargs)
            return positions, shifts, displacement * 0.5

        return call

    with exchanged(utils, "get_symmetric_displacement", make):
        assert red(judged(run, "outputs", "displacement"))


DIPOLES = {
    "dipole of charges lost": ("AtomicDipolesMACE", lambda out: {"dipole": out["dipole"] * 0.5}, "sums"),
    "turned": ("AtomicDipolesMACE", lambda out: {k: out[k].roll(1, -1) for k in ("dipole", "atomic_dipoles")}, "rotation"),
    "charges that do not add up": ("AtomicDielectricMACE", lambda out: {"charges": out["charges"] + 1e-9}, "sums"),
    "polarizability of one axis": ("AtomicDielectricMACE", lambda out: {"polarizability": out["polarizability"] * torch.tensor([1, 1, 1.1])}, "sums"),
    "derivative halved": ("AtomicDielectricMACE", lambda out: {"dmu_dr": out["dmu_dr"] / 2} if "dmu_dr" in out else {}, "dmu_dr"),
}


@pytest.mark.parametrize("name", DIPOLES)
def test_wrong_multipoles(tmp_path: Path, name: str) -> None:
    owner, change, variant = DIPOLES[name]
    run = session_of(built(owner), tmp_path)
    with outputs(lambda out, _: change(out), getattr(models, owner)):
        assert variant in red(judged(run, "outputs", "multipoles"))


def test_a_stress_without_periodicity_that_is_zero_or_refused_is_green(run: Session) -> None:
    def refusing(out: Out, flags: Mapping[str, bool]) -> Out:
        raise ValueError("no volume")

    for sound in (scaled("stress", 0.0), scaled("stress", float("nan")), outputs(refusing)):
        with sound:
            found = judged(run, "outputs", "aperiodic-stress")
        assert found[""].verdict == "pass"
        assert [f.reason for v, f in found.items() if v and "no longer applies" not in f.reason] == []
