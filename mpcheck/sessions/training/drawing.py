"""Pictures of the training session: losses by epoch, the loss scale by step, errors by split and regime."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mpcheck._names import TRAINING_DYNAMICS
from mpcheck._text import counted
from mpcheck.learning.labels import SPLITS
from mpcheck.records.document import Records
from mpcheck.records.training_figures import TrainingDynamics
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.curves import Curve, Words, curves_picture
from mpcheck.report.pictures.grouped import Spread, grouped_picture
from mpcheck.sessions.training.tables import Told, told

PAIRS = 2

ERRORS = (
    ("force_meV_per_A", "force", "RMSE of forces, meV/Å"),
    ("energy_meV_per_atom", "energy", "RMSE of energies, meV/atom"),
    ("inter_percent", "between", "RMSE of forces between molecules, % of their RMS"),
    ("intra_percent", "within", "RMSE of forces within molecules, % of their RMS"),
)


def pictures(document: Records) -> list[Picture]:
    """All that there are."""
    every = told(document)
    seeds = counted(max((len(one.runs) for one in every), default=0), "seed")
    found = [_losses(every, seeds), _scales(every, seeds)]
    for figure, name, title in ERRORS:
        spreads = [Spread(one.regime, split, one.values(split, figure)) for one in every for split in SPLITS]
        caption = f"Points are means over {seeds}, lines go from the least to the largest of them."
        found.append(grouped_picture(spreads, Words(f"training-{name}", "errors", title, caption, title, "")))
    found += _structure(document)
    return [picture for picture in found if picture is not None]


def _losses(every: list[Told], seeds: str) -> Picture | None:
    curves = [Curve(one.regime, range(len(run.validation_loss)), _numbers(run.validation_loss)) for one in every for run in one.runs]
    caption = f"Loss on the validation set before training and after each epoch; {seeds}, a line each. A line ends where the loss is no number."
    return curves_picture(curves, Words("training-losses", "errors", "Validation loss by epoch", caption, "epoch", "loss"), log=True)


def _scales(every: list[Told], seeds: str) -> Picture | None:
    curves = [
        Curve(one.regime, [*map(float, run.scale_steps[: len(run.scales)]), float(run.steps)], _numbers([*run.scales, run.scales[-1]]))
        for one in every for run in one.runs if run.scales
    ]  # fmt: skip
    caption = (
        f"What the loss is multiplied with so that gradients keep within float16: halved after an overflow, doubled after a while without; {seeds}."
    )
    return curves_picture(curves, Words("training-scale", "errors", "Loss scale by step", caption, "step", "loss scale"), log=True, stairs=True)


def _structure(document: Records) -> list[Picture | None]:
    """Distances of the commonest pairs of elements, of trained models and of the labels."""
    runs = {r.subject: r.detail for r in document.of(TRAINING_DYNAMICS) if isinstance(r.detail, TrainingDynamics) and r.detail.distances}
    if not runs:
        return []
    first = next(iter(runs.values()))
    made = []
    for pair in sorted(first.labelled, key=lambda name: -sum(first.labelled[name]))[:PAIRS]:
        curves = [Curve(name, d.r_A, d.distances[pair]) for name, d in runs.items() if pair in d.distances]
        curves.append(Curve("labels", first.r_A, first.labelled[pair]))
        caption = (
            f"{pair} pairs at a distance, in short runs of trained models from {first.structure}, and in the labelled structures of that formula."
        )
        words = Words(f"training-{pair.lower()}", "errors", f"{pair} distances", caption, "distance, Å", "pairs a structure and Å")
        made.append(curves_picture(curves, words))
    return made


def _numbers(values: Sequence[float | None]) -> list[float]:
    """NaN where there is none."""
    return [math.nan if v is None else v for v in values]
