"""One training by upstream's functions: its loop over an epoch, its evaluation, its optimiser and schedule, its average of weights."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mpcheck.adapters.calculator import silent
from mpcheck.adapters.graph import model_elements
from mpcheck.adapters.training.data import graphs, loader
from mpcheck.adapters.training.lowered import Lowering, linears, lowered
from mpcheck.adapters.training.steps import Losses, ScaledLoss, Steps
from mpcheck.adapters.upstream import default_dtype, mace, quiet
from mpcheck.systems.labelled import Labelled

OUTPUTS: Final = {"forces": True, "virials": False, "stress": False}
Weights = Literal["ema", "trained"]
"""Which weights are asked for: the moving average of them, as upstream evaluates, or those of the last step."""


@dataclass(frozen=True)
class Settings:
    """Of a training, by upstream's names where it has one. Energies eV, forces eV/Å.

    Attributes:
        lr, lr_last: learning rate at first, and what it has come to at the end. growth_interval: steps without an overflow after which the
            loss scale is doubled; init_scale: of the loss.
    """

    epochs: int = 20
    batch_size: int = 5
    lr: float = 0.02
    lr_last: float = 0.001
    energy_weight: float = 100.0
    forces_weight: float = 100.0
    weight_decay: float = 5e-7
    clip_grad: float = 10.0
    ema_decay: float = 0.99
    init_scale: float = 65536.0
    growth_interval: int = 100
    seed: int = 0


@dataclass(frozen=True)
class Evaluated:
    """What upstream's evaluation came to.

    Attributes:
        loss: mean. energies: [graphs] eV. forces: of each graph [atoms, 3] eV/Å. weights: which were asked, as their values tell.
    """

    loss: float
    energies: NDArray[np.float64]
    forces: list[NDArray[np.float64]]
    weights: Weights | Literal["others"]


class Trainer:
    """A model and everything that trains it.

    Attributes:
        original: in float64, with the weights that training began with. model: that is trained. seconds: that epochs took.
    """

    def __init__(
        self, original: torch.nn.Module, how: Lowering, settings: Settings, train: Sequence[Labelled], device: torch.device, scaled: bool
    ) -> None:
        self.original, self.how, self.settings, self.device = original, how, settings, device
        self.model = lowered(original, how, device)
        self.train = train
        self._twin: torch.nn.Module | None = None
        self._graphs: dict[tuple[int, torch.dtype], tuple[Sequence[Labelled], list[Any]]] = {}
        self.loader = loader(self.graphs(train, how.base), settings.batch_size, settings.seed)
        scaler = None
        if scaled:
            scaler = torch.amp.GradScaler(device.type, init_scale=settings.init_scale, growth_interval=settings.growth_interval)
        self.loss = ScaledLoss(
            mace.modules.WeightedEnergyForcesLoss(energy_weight=settings.energy_weight, forces_weight=settings.forces_weight), scaler
        ).to(device)
        self.optimizer, self.schedule = optimiser(self.model, settings)
        self.steps = Steps(self.optimizer, scaler, settings.clip_grad)
        self.losses = Losses(self.loss)
        self.average = _average(self.model, settings.ema_decay)

    def graphs(self, frames: Sequence[Labelled], dtype: torch.dtype) -> list[Any]:
        """Labelled structures as the model takes them; made once."""
        if (id(frames), dtype) not in self._graphs:
            self._graphs[id(frames), dtype] = (frames, self._made(frames, dtype))
        return self._graphs[id(frames), dtype][1]

    def _made(self, frames: Sequence[Labelled], dtype: torch.dtype) -> list[Any]:
        model: Any = self.original
        return graphs(frames, model_elements(model), float(model.r_max), dtype, getattr(model, "heads", None) or ("Default",))

    def epoch(self, number: int) -> None:
        """One epoch by upstream's loop, then its schedule of the learning rate."""
        from mace.tools.train import train_one_epoch

        clip = None if self.steps.scaler is not None else self.settings.clip_grad
        with default_dtype(self.how.base), quiet(), silent():
            train_one_epoch(
                model=self.model, loss_fn=self.loss, data_loader=self.loader, optimizer=self.steps, epoch=number, output_args=OUTPUTS,
                max_grad_norm=clip, ema=self.average, logger=self.losses, device=self.device, distributed=False,
            )  # fmt: skip
            self.schedule.step()

    def evaluate(self, frames: Sequence[Labelled], weights: Weights, size: int = 32) -> Evaluated:
        """Upstream's evaluation of the model as it trains, with the weights that are asked for."""
        batches = loader(self.graphs(frames, self.how.base), size)
        wanted = self.averaged() if weights == "ema" else [p.detach().clone() for p in trainable(self.model)]
        with self.asked(weights):
            held = [p.detach() for p in trainable(self.model)]
            told: Weights | Literal["others"] = weights if all(map(_same, held, wanted)) else "others"
            with default_dtype(self.how.base):
                loss, energies, forces = evaluated(self.model, self.loss.loss, batches, self.device)
        return Evaluated(loss, energies, forces, told)

    @contextlib.contextmanager
    def asked(self, weights: Weights) -> Iterator[None]:
        """The model with one or the other weights while the block runs, as upstream's loop has them when it evaluates."""
        with self.average.average_parameters() if weights == "ema" else contextlib.nullcontext():
            yield

    def averaged(self) -> list[torch.Tensor]:
        """The moving average of the weights."""
        return [p.detach().clone() for p in self.average.shadow_params]

    def in_float64(self, weights: Weights) -> torch.nn.Module:
        """The original with the weights of now, in float64; the same module at every call."""
        if self._twin is None:
            self._twin = copy.deepcopy(self.original).to(self.device)
        with self.asked(weights), torch.no_grad():
            for mine, theirs in zip(self._twin.parameters(), self.model.parameters(), strict=True):
                mine.copy_(theirs)
        return self._twin

    def gradients(self, batch: Any) -> tuple[dict[str, torch.Tensor], float]:
        """Gradients of the loss by every parameter as a step has them, in float64, none of one that gets none; and the loss scale that they were
        taken with and that is divided out. Where some overflow it is halved as the scaler does, which leaves such steps out.
        """
        scaler = self.steps.scaler
        scale = 1.0 if scaler is None else float(scaler.get_scale())
        with default_dtype(self.how.base):
            found = gradients(self.model, self.loss.loss, batch, scale)
            while scale > 1 and not all(bool(torch.isfinite(g).all()) for g in found.values()):
                scale /= 2
                found = gradients(self.model, self.loss.loss, batch, scale)
        return found, scale

    @property
    def linear(self) -> frozenset[str]:
        """Paths of linear layers."""
        return frozenset(path for path, _ in linears(self.original))

    def optimiser_types(self) -> dict[str, str]:
        """By parameter, the type of what the optimiser keeps of it."""
        names = {id(p): name for name, p in self.model.named_parameters()}
        found = {}
        for parameter, state in self.optimizer.state.items():
            moments = {t.dtype for key, t in state.items() if key != "step" and isinstance(t, torch.Tensor)}
            found[names[id(parameter)]] = "+".join(sorted(str(t).removeprefix("torch.") for t in moments))
        return found

    def weight_types(self) -> dict[str, str]:
        """By parameter, its type."""
        return {name: str(p.dtype).removeprefix("torch.") for name, p in self.model.named_parameters()}


def _same(mine: torch.Tensor, theirs: torch.Tensor) -> bool:
    """Bit by bit but for NaN, which a training may end in."""
    return mine.dtype == theirs.dtype and bool(((mine == theirs) | (mine.isnan() & theirs.isnan())).all())


def trainable(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    """What is trained, in the order in which the average of weights has it."""
    return [p for p in model.parameters() if p.requires_grad]


def _average(model: torch.nn.Module, decay: float) -> Any:
    from torch_ema import ExponentialMovingAverage

    return ExponentialMovingAverage(model.parameters(), decay=decay)


def optimiser(model: torch.nn.Module, settings: Settings) -> tuple[torch.optim.Optimizer, Any]:
    """Upstream's optimiser, with its groups of parameters, and its schedule: Adam (Kingma and Ba 2015, arXiv:1412.6980) with AMSGrad."""
    with quiet():
        from mace.tools import scripts_utils

    words = SimpleNamespace(
        lr=settings.lr, weight_decay=settings.weight_decay, amsgrad=True, beta=0.9, lr_params_factors="{}", freeze=None, optimizer="adam",
        scheduler="ExponentialLR", lr_scheduler_gamma=(settings.lr_last / settings.lr) ** (1 / max(settings.epochs, 1)) if settings.lr else 1.0,
    )  # fmt: skip
    made = scripts_utils.get_optimizer(words, scripts_utils.get_params_options(words, model))
    return made, scripts_utils.LRScheduler(made, words)


def evaluated(
    model: torch.nn.Module, loss: torch.nn.Module, batches: Any, device: torch.device
) -> tuple[float, NDArray[np.float64], list[NDArray[np.float64]]]:
    """Upstream's evaluation, and what the model answered in it: mean loss, energies, forces by graph."""
    from mace.tools.train import evaluate

    energies, forces = list[torch.Tensor](), list[NDArray[np.float64]]()

    def asked(data: dict[str, torch.Tensor], **flags: Any) -> Any:
        out = model(data, **flags)
        energies.append(out["energy"].detach().double().cpu())
        sizes = (data["ptr"][1:] - data["ptr"][:-1]).tolist()
        forces.extend(part.numpy() for part in out["forces"].detach().double().cpu().split(sizes))
        # upstream's metrics keep what they get until all is evaluated, and with it its graph
        return {name: t.detach() if isinstance(t, torch.Tensor) else t for name, t in out.items()}

    with quiet(), silent():
        mean, _ = evaluate(_Told(model, asked), loss, batches, OUTPUTS, device)
    return float(mean), torch.cat(energies).numpy(), forces


class _Told(torch.nn.Module):
    """A model whose answers are noted."""

    def __init__(self, model: torch.nn.Module, ask: Callable[..., Any]) -> None:
        super().__init__()
        self.model, self.ask = model, ask

    def forward(self, data: dict[str, torch.Tensor], **flags: Any) -> Any:
        """The model's."""
        return self.ask(data, **flags)


def gradients(model: torch.nn.Module, loss: Any, batch: Any, scale: float = 1.0) -> dict[str, torch.Tensor]:
    """Gradients of a loss on a batch by every parameter, in float64, taken with a scale that is divided out; the model's own stay as they are."""
    kept: Mapping[str, Any] = {name: p.grad for name, p in model.named_parameters()}
    device = next(model.parameters()).device
    batch = batch.to(device)
    for p in model.parameters():
        p.grad = None
    with quiet():
        out = model(batch.to_dict(), training=True, compute_force=True, compute_virials=False, compute_stress=False)
        (scale * loss(pred=out, ref=batch)).backward()
    found = {name: p.grad.double() / scale for name, p in model.named_parameters() if p.grad is not None}
    for name, p in model.named_parameters():
        p.grad = kept[name]
    return found
