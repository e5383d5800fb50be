"""Faults that act in training mode alone, where weights are frozen, or that take a weight's gradient away."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged
from tests.unit.checks.uses.small_models import built, judged, red, session_of

blocks, models = mace.modules.blocks, mace.modules.models
Interaction, Product = blocks.RealAgnosticResidualInteractionBlock, blocks.EquivariantProductBasisBlock
Planted = contextlib.AbstractContextManager[None]


def result(owner: Any, change: Callable[[Any, Any], Any]) -> Planted:
    """``forward`` whose result is changed, given the module."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, *args, **kwargs: change(self, original(self, *args, **kwargs))

    return exchanged(owner, "forward", make)


def hooked(x: torch.Tensor, factor: float) -> torch.Tensor:
    """Its gradient is scaled."""
    x.register_hook(lambda g: g * factor)
    return x


def drifting(self: Any, x: torch.Tensor) -> torch.Tensor:
    """A running statistic that training moves and evaluation applies."""
    if self.training:
        self.__dict__["seen"] = self.__dict__.get("seen", 0) + 1
    return x * (1 + 1e-9 * self.__dict__.get("seen", 0))


TRAINING = {
    "scaled": (Product, lambda m, x: x * (1 + 1e-9) if m.training else x, "train"),
    "random": (Product, lambda m, x: torch.nn.functional.dropout(x, 0.1, m.training), "train"),
    "gradients halved": (Product, lambda m, x: hooked(x, 0.5) if m.training and x.requires_grad else x, "train"),
    "scaled readout": (blocks.NonLinearReadoutBlock, lambda m, x: x * (1 - 1e-9) if m.training else x, "train"),
}


@pytest.mark.parametrize("name", TRAINING)
def test_what_only_training_mode_does(run: Session, name: str) -> None:
    owner, change, variant = TRAINING[name]
    with result(owner, change):
        found = red(judged(run, "modes", "training"))
    assert set(found) == {variant}
    assert ("as if something in it were random" in found[variant]) == (name == "random")
    assert found[variant].startswith(("products.0: ", "readouts.1: ", "forces ", "gradient ", "virials ", "stress "))


def test_what_training_leaves_behind(run: Session) -> None:
    with result(Product, drifting):
        assert "back in eval" in red(judged(run, "modes", "training"))
    for module in run.reference_backend.model.modules():
        module.__dict__.pop("seen", None)


def test_what_the_argument_changes(run: Session) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, data: Any, training: bool = False, **flags: Any) -> Any:
            out = original(self, data, training, **flags)
            return {**out, "forces": out["forces"] * (1 + 1e-9)} if training and out["forces"] is not None else out

        return forward

    with exchanged(models.ScaleShiftMACE, "forward", make):
        assert set(red(judged(run, "modes", "training"))) == {"training argument"}


@pytest.mark.parametrize(("name", "size"), [("Dropout", ()), ("BatchNorm1d", (4,))])
def test_what_declares_that_it_is_another_is_not_judged(tmp_path: Path, name: str, size: tuple[int, ...]) -> None:
    model = built("ScaleShiftMACE")
    model.products[0].add_module("extra", getattr(torch.nn, name)(*size))  # type: ignore[union-attr,index,operator]
    (found,) = judged(session_of(model, tmp_path), "modes", "training").values()
    assert found.verdict == "unsupported" and f"products.0.extra: {name}" in found.reason


def test_a_dropout_of_nothing_is_judged(tmp_path: Path) -> None:
    model = built("ScaleShiftMACE")
    model.products[0].add_module("extra", torch.nn.Dropout(0.0))  # type: ignore[union-attr,index,operator]
    assert {f.verdict for f in judged(session_of(model, tmp_path), "modes", "training").values()} == {"pass"}


def all_frozen(module: Any) -> bool:
    return not any(p.requires_grad for p in module.parameters())


FROZEN = {
    "detached": (Product, lambda m, x: x.detach() if all_frozen(m) else x),
    "features lost": (Interaction, lambda m, out: (out[0], out[1].detach()) if all_frozen(m) else out),
    "gradient scaled": (Product, lambda m, x: hooked(x, 1 + 1e-9) if all_frozen(m) and x.requires_grad else x),
    "one weight": (Product, lambda m, x: x * 1.001 if not m.linear.weight.requires_grad else x),
    "stress": (models.ScaleShiftMACE, lambda m, out: {**out, "stress": out["stress"] * 2} if all_frozen(m) and out["stress"] is not None else out),
}


@pytest.mark.parametrize("name", FROZEN)
def test_what_freezing_changes(run: Session, name: str) -> None:
    with result(*FROZEN[name]):
        found = red(judged(run, "modes", "frozen"))
    assert found and all("frozen" in reason for reason in found.values())


def detached(own: Callable[[Any], bool]) -> Planted:
    """Linear layers whose weight is used without its gradient."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, x, weight=None, bias=None: original(self, x, self.weight.detach() if own(self) else weight, bias)

    return exchanged(o3.Linear, "forward", make)


def test_a_weight_without_its_gradient_is_named(run: Session) -> None:
    product = run.reference_backend.model.products[1].linear  # type: ignore[union-attr,index]
    with detached(lambda m: m is product):
        found = judged(run, "modes", "dead-parameters")
    assert set(red(found)) == {"gradient"} and found["gradient"].worst == "products.1.linear.weight"
    assert "energy depends on it" in found["gradient"].reason or "depends on it" in found["gradient"].reason


def test_half_a_weight_without_its_gradient(run: Session) -> None:
    readout = run.reference_backend.model.readouts[0].linear  # type: ignore[union-attr,index]

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: Any, weight: Any = None, bias: Any = None) -> Any:
            if self is readout:
                weight = torch.cat([self.weight[:2], self.weight[2:].detach()])
            return original(self, x, weight, bias)

        return forward

    with exchanged(o3.Linear, "forward", make):
        found = red(judged(run, "modes", "dead-parameters"))
    assert "2 of 4 elements of readouts.0.linear.weight" in found["gradient"]


def test_weights_that_nothing_uses(run: Session) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, node_feats, sc, node_attrs: original(self, node_feats, torch.zeros_like(sc), node_attrs)

    with exchanged(Product, "forward", make):
        found = red(judged(run, "modes", "dead-parameters"))
    assert set(found) == {"use"} and "skip_tp.weight: no output depends on it" in found["use"]


def test_what_an_architecture_leaves_unused_is_green(tmp_path: Path) -> None:
    run = session_of(built("ScaleShiftMACE", hidden_irreps=o3.Irreps("4x0e+4x0o+4x1o+4x1e")), tmp_path)
    found = judged(run, "modes", "dead-parameters")
    assert {f.verdict for f in found.values()} == {"pass"}
    assert "without_gradient" in str(found["use"].detail)


def test_features_that_a_model_keeps_without_reading_them_have_no_loss(tmp_path: Path) -> None:
    run = session_of(built("ScaleShiftMACE", keep_last_layer_irreps=True), tmp_path)
    assert red(judged(run, "modes", "dead-parameters")) == {}


def test_a_layer_that_begins_at_zero_is_no_dead_end(tmp_path: Path) -> None:
    model = built("ScaleShiftMACE")
    torch.nn.init.zeros_(model.readouts[1].linear_2.weight)  # type: ignore[union-attr,index,arg-type]
    assert red(judged(session_of(model, tmp_path), "modes", "dead-parameters")) == {}


CLASSES = {"type": "categorical", "per": "graph", "emb_dim": 4}


def embedded(*classes: tuple[str, int, int]) -> torch.nn.Module:
    specs = {name: {**CLASSES, "num_classes": count, "offset": offset} for name, count, offset in classes}
    return built("ScaleShiftMACE", embedding_specs=specs, use_embedding_readout=True)


@pytest.mark.parametrize("classes", [7, 70])
def test_rows_of_classes_that_no_structure_has_are_not_dead(tmp_path: Path, classes: int) -> None:
    """Few classes are all in the batch; of many some are not, and their rows have no gradient."""
    run = session_of(embedded(("total_charge", classes, 3), ("total_spin", 5, 0)), tmp_path)
    assert {f.verdict for f in judged(run, "modes", "dead-parameters").values()} == {"pass"}


def test_a_class_that_is_looked_up_for_every_structure(tmp_path: Path) -> None:
    """Rows that structures have and that are never read are as dead as any other."""
    run = session_of(embedded(("total_charge", 7, 3)), tmp_path)

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, index: original(self, torch.zeros_like(index))

    with exchanged(torch.nn.Embedding, "forward", make):
        found = red(judged(run, "modes", "dead-parameters"))
    assert set(found) == {"use"} and "24 of 28 elements of joint_embedding.embedders.total_charge.weight" in found["use"]


def test_weights_taken_out_though_a_path_leads_through_them(tmp_path: Path) -> None:
    """Upstream's order of them is known; another weight in their place is not."""
    model = built("ScaleShiftMACE", correlation=3, hidden_irreps=o3.Irreps("2x0e + 2x1o + 2x2o"))
    found = judged(session_of(model, tmp_path), "modes", "dead-parameters")
    assert {v: f.verdict for v, f in found.items()} == {"gradient": "pass", "use": "pass", "paths": "known-fault"}
    contraction: Any = model.products[0].symmetric_contractions.contractions[0]  # type: ignore[union-attr,index]
    contraction.weights_1_zeroed.fill_(True)
    assert "contractions.0.weights.1" in red(judged(session_of(model, tmp_path), "modes", "dead-parameters"))["paths"]
