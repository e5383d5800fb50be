"""One training in one regime, begun with the weights of a seed, and everything that is measured of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from mpcheck._text import duration
from mpcheck.adapters.training.data import loader
from mpcheck.adapters.training.lowered import Lowering
from mpcheck.adapters.training.trainer import Settings, Trainer, Weights, evaluated, gradients
from mpcheck.adapters.upstream import default_dtype
from mpcheck.learning.errors import Errors, errors, labels_between
from mpcheck.learning.labels import Set, Split
from mpcheck.learning.layers import LayerGradient, When, compared, layer_names
from mpcheck.learning.regimes import Regime


@dataclass(frozen=True)
class Run:
    """A training that has ended.

    Attributes:
        train_loss: mean of each epoch's steps, without those that were left out. validation_loss: before the first epoch, and after each.
        scales: that the loss was multiplied with, step by step; empty without scaling. overflowed: places of steps that were left out.
        errors: of the model as it was trained, errors64: of its weights in a float64 model, by split. layers: gradients, at start and end.
        asked, evaluated: which weights were to be evaluated, and which were. moments, stored: by layer, type of what the optimiser keeps, and
            of weights. broken: layers with weights that are no numbers. still: layers with gradients whose weights never moved.
        state: the weights asked for, in float64, by parameter.
    """

    regime: Regime
    settings: Settings
    train_loss: list[float]
    validation_loss: list[float]
    scales: list[float]
    overflowed: list[int]
    errors: Mapping[Split, Errors]
    errors64: Mapping[Split, Errors]
    layers: list[LayerGradient]
    asked: str
    evaluated: str
    moments: Mapping[str, str]
    stored: Mapping[str, str]
    broken: list[str]
    still: list[str]
    linear: frozenset[str]
    steps: int
    seconds_per_epoch: float
    fresh: bool = True
    state: Mapping[str, torch.Tensor] = field(repr=False, default_factory=dict)


def lowering(regime: Regime) -> Lowering:
    """What a regime does to a model."""
    of: Callable[[str], torch.dtype | None] = lambda name: getattr(torch, name) if name else None  # noqa: E731
    base: torch.dtype = getattr(torch, regime.base)
    return Lowering(base, of(regime.autocast), of(regime.linear), regime.master)


def train(
    model: torch.nn.Module, data: Set, regime: Regime, settings: Settings, device: torch.device, weights: Weights = "ema",
    say: Callable[[str], None] = lambda _: None, fresh: bool = True,
) -> Run:  # fmt: skip
    """Train a copy of a float64 model.

    Args:
        fresh: whether its weights were drawn; of one that has learned already validation need not improve.
        settings: their seed is that of the batches' order; the weights to begin with are the model's.

    Raises:
        BaseException: whatever upstream's code raises.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        trainer = Trainer(model, lowering(regime), settings, data.train, device, regime.scaled)
        return _trained(trainer, data, regime, weights, say, fresh)


def _trained(trainer: Trainer, data: Set, regime: Regime, weights: Weights, say: Callable[[str], None], fresh: bool) -> Run:
    settings, names = trainer.settings, layer_names(trainer.original)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    layers = _layers(trainer, regime, names, "start")
    validation = [trainer.evaluate(data.validation, "trained").loss]
    began = time.perf_counter()
    told, spent = list[str](), 0.0
    for number in range(settings.epochs):
        start = time.perf_counter()
        trainer.epoch(number)
        spent += time.perf_counter() - start
        found = trainer.evaluate(data.validation, weights)
        validation.append(found.loss)
        told.append(found.weights)
        left = (time.perf_counter() - began) / (number + 1) * (settings.epochs - number - 1)
        say(f"{regime.name}, seed {settings.seed}: epoch {number + 1} of {settings.epochs}" + (f", about {duration(left)} left" if left >= 1 else ""))
    layers += _layers(trainer, regime, names, "end")
    own, own64 = _errors(trainer, data, weights, told)
    taken = [loss if step not in set(trainer.steps.overflowed) else None for step, loss in enumerate(trainer.losses.steps)]
    of_layer = {name: names[name] for name in trainer.weight_types() if name in names}
    per_epoch = -(-len(trainer.losses.steps) // max(settings.epochs, 1))
    moved = {layer for name, layer in of_layer.items() if not torch.equal(before[name], trainer.model.get_parameter(name))}
    flowing = {one.layer for one in layers if one.flows}
    return Run(
        regime=regime, settings=settings,
        train_loss=[_mean(taken[i * per_epoch : (i + 1) * per_epoch]) for i in range(settings.epochs)],
        validation_loss=validation, scales=trainer.steps.scales, overflowed=trainer.steps.overflowed, errors=own, errors64=own64, layers=layers,
        asked=weights, evaluated=weights if set(told) == {weights} else next(t for t in told if t != weights),
        moments=_by_layer(trainer.optimiser_types(), of_layer), stored=_by_layer(trainer.weight_types(), of_layer),
        broken=list(dict.fromkeys(of_layer[n] for n in of_layer if not bool(torch.isfinite(trainer.model.get_parameter(n)).all()))),
        still=[layer for layer in dict.fromkeys(of_layer.values()) if layer not in moved and layer in flowing],
        linear=trainer.linear, steps=len(trainer.losses.steps), seconds_per_epoch=spent / max(settings.epochs, 1), fresh=fresh,
        state={name: p.detach().cpu().clone() for name, p in trainer.in_float64(weights).named_parameters()},
    )  # fmt: skip


def _mean(values: list[float | None]) -> float:
    held = [value for value in values if value is not None]
    return sum(held) / len(held) if held else float("nan")


def _by_layer(types: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """Types of a layer's parameters, in words."""
    found: dict[str, dict[str, None]] = {}
    for name, told in types.items():
        if name in names:
            found.setdefault(names[name], {})[told] = None
    return {layer: " and ".join(told) for layer, told in found.items()}


def _layers(trainer: Trainer, regime: Regime, names: Mapping[str, str], when: When) -> list[LayerGradient]:
    """Gradients on the first training structures, with the weights of the last step."""
    first = list(trainer.train[: trainer.settings.batch_size])
    batch, exact_batch = (next(iter(loader(trainer.graphs(trainer.train, t)[: len(first)], len(first)))) for t in (trainer.how.base, torch.float64))
    with default_dtype(torch.float64):
        exact = gradients(trainer.in_float64("trained"), trainer.loss.loss, exact_batch)
    found, scale = trainer.gradients(batch)
    return compared(found, exact, names, regime.lowest, scale, when)


def _errors(trainer: Trainer, data: Set, weights: Weights, told: list[str]) -> tuple[dict[Split, Errors], dict[Split, Errors]]:
    """Of every split, as trained and in float64."""
    own, own64 = dict[Split, Errors](), dict[Split, Errors]()
    exact = trainer.in_float64(weights)
    for split, frames in data.splits:
        parts = labels_between(frames)
        found = trainer.evaluate(frames, weights)
        told.append(found.weights)
        own[split] = errors(frames, found.energies, found.forces, parts)
        batches = loader(trainer.graphs(frames, torch.float64), 32)
        with default_dtype(torch.float64):
            _, energies, forces = evaluated(exact, trainer.loss.loss, batches, trainer.device)
        own64[split] = errors(frames, energies, forces, parts)
    return own, own64
