"""What trained models do in a short run of dynamics, as records: a run that ends early where float64's does not is red."""

from __future__ import annotations

import numpy as np
import torch

from mpcheck.learning.dynamics import FARTHEST, FEMTOSECONDS, STEPS, WIDTH, chosen, distances, langevin, overlap
from mpcheck.learning.labels import Set
from mpcheck.learning.regimes import REFERENCE
from mpcheck.records.record import Planned, Record
from mpcheck.records.training_figures import TrainingDynamics
from mpcheck.records.verdicts import Verdict

DIGITS = 4


def moved(planned: Planned, model: torch.nn.Module | None, data: Set, seed: int) -> Record:
    """A run of a float64 model with the weights that a regime came to; its verdict is told by :func:`beside`.

    Raises:
        BaseException: whatever the model raises.
    """
    if model is None:
        return Record(**planned.about, key=planned.key, verdict="unsupported", reason="the training came to no weights")
    formula, start, frames = chosen(data)
    course, expected = langevin(model, start, seed), distances(frames)
    found = distances(course.frames)
    centres = np.arange(WIDTH / 2, FARTHEST, WIDTH)
    detail = TrainingDynamics(
        structure=formula, ps=STEPS * FEMTOSECONDS * 1e-3, temperature_K=course.temperature if np.isfinite(course.temperature) else None,
        lost=course.lost, overlap=overlap(found, expected), r_A=_listed(centres), distances={pair: _listed(v) for pair, v in found.items()},
        labelled={pair: _listed(v) for pair, v in expected.items()},
    )  # fmt: skip
    return Record(**planned.about, key=planned.key, verdict="pass", detail=detail)


def beside(record: Record, reference: Record) -> Record:
    """The record with its verdict: whether it held where float64's did."""
    own, other = record.detail, reference.detail
    if not isinstance(own, TrainingDynamics) or not own.lost:
        return record
    held = isinstance(other, TrainingDynamics) and not other.lost
    verdict: Verdict = "fail" if held and record.subject != REFERENCE else "inconclusive"
    why = "where float64's does not" if held else "and so does float64's: it has not learned enough to be run"
    return record.model_copy(update={"verdict": verdict, "reason": f"dynamics of the trained model ends early, {own.lost}, {why}"})


def _listed(values: np.ndarray) -> list[float]:
    return [float(f"{v:.{DIGITS}g}") for v in values]
