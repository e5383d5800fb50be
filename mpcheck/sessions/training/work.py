"""The training session's work: a training for each regime and seed, and each regime against float64."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from mpcheck._cuda import CUDA
from mpcheck._errors import InputError
from mpcheck._names import REFERENCE_BACKEND, TRAINING, TRAINING_COMPARED, TRAINING_DYNAMICS
from mpcheck._text import counted, duration
from mpcheck._torch_state import neutral
from mpcheck._unsupported import CUDA as CUDA_WORD
from mpcheck.adapters.load import LoadedModel, load_model
from mpcheck.adapters.training.trainer import Settings, Weights
from mpcheck.learning.files import read_set
from mpcheck.learning.labels import Set
from mpcheck.learning.recipe import architecture, small
from mpcheck.learning.regimes import DEFAULT, PLAIN, REFERENCE, REGIMES
from mpcheck.learning.solvents import solvents
from mpcheck.learning.training import train
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.pieces import Piece, PlainWork
from mpcheck.sessions.run import Session
from mpcheck.sessions.training import EPOCHS, EPOCHS_LONG, SMALL, TrainingOptions
from mpcheck.sessions.training.comparing import compare
from mpcheck.sessions.training.dynamics import beside, moved
from mpcheck.sessions.training.figures import record_of
from mpcheck.sessions.training.runs import Runs

LIGHT = 1e-3
"""Weight of a comparison beside a training: it is done last, when the trainings are there."""
GROWTHS = 8
"""So often the loss scale may grow in a training, and an eighth of the steps it may take to come down from where it begins: torch's 2^16, where there
are enough steps."""


class TrainingWork(PlainWork):
    """See :class:`mpcheck.sessions.pieces.Work`."""

    @neutral()
    def __init__(self, options: TrainingOptions) -> None:
        """Raises:
        InputError: bad options, a data file that cannot be used, or a model that lacks its elements.
        """
        options = replace(
            options, regimes=options.regimes or DEFAULT, epochs=EPOCHS_LONG if options.long and options.epochs == EPOCHS else options.epochs
        )
        self.asked = options
        self.data: Set = solvents() if options.data is None else read_set(options.data, options.energy_key, options.forces_key)
        self.arch = architecture(self.data) if options.model == SMALL else None
        model = small(self.arch, 0) if self.arch is not None else _able(load_model(options.model), self.data)
        self.session = Session(replace(options, backends=(REFERENCE_BACKEND,), systems=()), model)
        self.session.systems.clear()  # what is learned from is no structure that blocks are judged on
        self.runs = Runs()

    def settings(self, seed: int) -> Settings:
        """Of a training."""
        asked, batches = self.asked, -(-len(self.data.train) // self.asked.batch_size)
        eighth = asked.epochs * batches // GROWTHS
        return Settings(
            epochs=asked.epochs, batch_size=asked.batch_size, lr=asked.learning_rate, lr_last=asked.learning_rate / 20, seed=seed,
            growth_interval=max(2, min(2000, eighth)),
            init_scale=2.0 ** min(16, eighth),
        )  # fmt: skip

    @property
    def seeds(self) -> list[int]:
        """Of the trainings of each regime."""
        return [self.asked.seed + i for i in range(self.asked.seeds)]

    def pieces(self) -> Sequence[Piece]:
        """Trainings seed by seed, so that what an interrupted run leaves can be compared; then each regime against float64."""
        trainings = [self._training(name, seed) for seed in self.seeds for name in self.asked.regimes]
        pieces = [Piece(one, one.key, one.key, one, REGIMES[one.subject].cost) for one in trainings]
        compared = [self._planned(TRAINING_COMPARED, name, "") for name in self.asked.regimes if name != REFERENCE]
        moving = [self._planned(TRAINING_DYNAMICS, name, f"seed {self.seeds[0]}") for name in self.asked.regimes]
        return pieces + [Piece(one, one.key, one.key, one, LIGHT) for one in (*moving, *compared)]

    def _training(self, name: str, seed: int) -> Planned:
        return self._planned(TRAINING, name, f"seed {seed}")

    def _planned(self, check: str, name: str, variant: str) -> Planned:
        key = "/".join(filter(None, (check, name, variant.replace(" ", "-"))))
        return Planned(key=key, check=check, subject=name, variant=variant)

    def narrowed(self) -> dict[str, list[str]]:
        """Regimes of the usual ones that were not asked for."""
        left = [name for name in DEFAULT if name not in self.asked.regimes]
        return {"regimes": left} if left else {}

    def outlook(self) -> str:
        """What the trainings take, told from a step of float32 on this machine."""
        steps = self.asked.epochs * -(-len(self.data.train) // self.asked.batch_size)
        seconds = self.asked.seeds * sum(REGIMES[name].cost for name in self.asked.regimes) * steps * self._step()
        trainings = counted(self.asked.seeds * len(self.asked.regimes), "training")
        return f"{trainings} of {counted(steps, 'step')}: about {duration(seconds)} in one process"

    @neutral()
    def _step(self) -> float:
        """Seconds of a step and its share of the evaluations."""
        if self._device() is None:
            return 0.0
        few = replace(self.data, train=self.data.train[: 2 * self.asked.batch_size], validation=self.data.validation[:2], test=self.data.test[:2])
        found = train(self.session.model.module, few, REGIMES[PLAIN], replace(self.settings(0), epochs=2), torch.device(self.asked.device))
        return 1.3 * found.seconds_per_epoch / 2

    @neutral()
    def records(self, piece: Piece) -> list[Record]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        planned: Planned = piece.key
        make = {TRAINING_COMPARED: self._compared, TRAINING_DYNAMICS: self._run}.get(planned.check, self._trained)
        return self.attempted(planned, lambda: [make(planned)])

    def _run(self, planned: Planned) -> Record:
        """A short run of what was trained, beside float64's."""
        own, exact = (self._moved(self._planned(TRAINING_DYNAMICS, name, planned.variant)) for name in (planned.subject, REFERENCE))
        return beside(own, exact)

    def _moved(self, planned: Planned) -> Record:
        seed = self.seeds[0]
        return self.runs.once(_name(planned), lambda: moved(planned, self.trained_model(planned.subject, seed), self.data, seed))

    def _compared(self, planned: Planned) -> Record:
        own, reference = ([self._trained(self._training(name, seed)) for seed in self.seeds] for name in (planned.subject, REFERENCE))
        return compare(planned, own, reference, self.asked.margin)

    def _trained(self, planned: Planned) -> Record:
        return self.runs.once(_name(planned), lambda: self._train(planned))

    def _train(self, planned: Planned) -> Record:
        if (device := self._device()) is None:
            return Record(**planned.about, key=planned.key, verdict="unsupported", reason="CUDA is not available", lacking=CUDA_WORD)
        seed = int(planned.variant.rpartition(" ")[2])
        model = small(self.arch, seed) if self.arch is not None else self.session.model
        weights: Weights = "ema" if self.asked.weights == "ema" else "trained"
        began = time.perf_counter()
        run = train(
            model.module, self.data, REGIMES[planned.subject], self.settings(seed), device, weights, self.asked.progress, self.arch is not None
        )
        self.runs.keep(_name(planned), run.state)
        return record_of(run, planned, time.perf_counter() - began)

    def trained_model(self, name: str, seed: int) -> torch.nn.Module | None:
        """A float64 model with the weights that a training came to, which is done where it is not yet; None where it has none."""
        planned = self._training(name, seed)
        self._trained(planned)
        state = self.runs.state(_name(planned))
        model = copy.deepcopy(self.session.model.module)
        if state:
            model.load_state_dict(state, strict=False)  # buffers are the same
        return model if state else None

    def _device(self) -> torch.device | None:
        """None where it is missing."""
        device = torch.device(self.asked.device)
        return None if device.type == "cuda" and not CUDA.is_available() else device


def _name(planned: Planned) -> str:
    """Of a training's files."""
    return planned.key.replace("/", "_")


def _able(model: LoadedModel, data: Set) -> LoadedModel:
    """The model, where it can be trained on these data.

    Raises:
        InputError: it lacks an element.
    """
    missing = [s for s in data.elements if s not in model.elements]
    if missing:
        raise InputError(f"model {model.name} lacks {', '.join(missing)} of {data.name}; give another, or {SMALL}, which is fitted to the data")
    return model


__all__ = ["TrainingWork"]
