"""What records of trainings in lower precision hold: curves, errors by split, gradients by layer, and comparisons with float64."""

from __future__ import annotations

from typing import Literal

from mpcheck._files.yaml import Strict
from mpcheck.records.tensors import Number
from mpcheck.records.typed_figures import TypedFigures


class SplitErrors(Strict):
    """RMSE on a split, and of the same weights in a float64 model (``*_64``); percent of the RMS label.

    Attributes:
        inter_*: of forces on molecules as rigid bodies; intra_*: of the rest.
    """

    split: str
    energy_meV_per_atom: Number = None
    force_meV_per_A: Number = None
    force_percent: Number = None
    inter_meV_per_A: Number = None
    inter_percent: Number = None
    intra_meV_per_A: Number = None
    intra_percent: Number = None
    energy_meV_per_atom_64: Number = None
    force_meV_per_A_64: Number = None


class GradientFigures(Strict):
    """A layer's gradient at the ``start`` or ``end`` beside float64's; see :class:`mpcheck.learning.layers.LayerGradient`."""

    layer: str
    when: str
    relative_error: Number = None
    in_u: Number = None
    lost: Number = None
    below: Number = None
    beyond: Number = None


class TrainingRun(TypedFigures):
    """One training: check ``training``.

    Attributes:
        train_loss: by epoch; validation_loss: before the first, and after each.
        scale_steps, scales: steps at which the loss scale changed, and to what; overflows: steps that were left out.
        weights: those that were evaluated. wrong: kinds of what is wrong.
    """

    kind: Literal["training-run"] = "training-run"
    seed: int
    epochs: int
    steps: int
    weights: str = ""
    train_loss: list[Number] = []
    validation_loss: list[Number] = []
    scale_steps: list[int] = []
    scales: list[Number] = []
    overflows: Number = None
    seconds_per_epoch: Number = None
    errors: list[SplitErrors] = []
    gradients: list[GradientFigures] = []
    wrong: list[str] = []


class Compared(Strict):
    """One figure of a regime against float64's, paired by seed, percent of float64's mean; the interval holds 95 %."""

    split: str
    figure: str
    mean_percent: Number = None
    low_percent: Number = None
    high_percent: Number = None
    decision: str = ""


class TrainingCompared(TypedFigures):
    """A regime against float64 over all seeds: check ``training-compared``."""

    kind: Literal["training-compared"] = "training-compared"
    seeds: Number = None
    margin_percent: Number = None
    compared: list[Compared] = []


class TrainingDynamics(TypedFigures):
    """What a trained model does in a short run of Langevin dynamics, in float64: check ``training-dynamics``.

    Attributes:
        structure: formula of the one that it starts from. ps: that were run. lost: why it ended early; empty where it did not.
        overlap: by pair of elements, the share that distances have in common with those of the labelled structures of that formula.
        r_A: centres of bins; distances, labelled: by pair, pairs a structure and Å, of the run and of the labels.
    """

    kind: Literal["training-dynamics"] = "training-dynamics"
    structure: str
    ps: Number = None
    temperature_K: Number = None
    lost: str = ""
    overlap: dict[str, float] = {}
    r_A: list[float] = []
    distances: dict[str, list[float]] = {}
    labelled: dict[str, list[float]] = {}


TrainingDetail = TrainingRun | TrainingCompared | TrainingDynamics
