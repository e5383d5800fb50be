"""The training-step session: one optimisation step at every format and backend, and by what is trained in 16 bits, against its noise scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mpcheck._names import TRAINING_STEP
from mpcheck.learning.step.names import REGIMES
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import SYSTEM, InspectedOptions, Option

SMALLEST = "builtin:NAME[:N] or FILE[@SLICE]; default: the smallest built-in crystal that the model's elements allow"


@dataclass(frozen=True)
class TrainingStepOptions(InspectedOptions):
    """What the training-step session takes.

    Attributes:
        systems: empty for the smallest built-in crystal of the model's elements: what a step shows is no matter of size.
        regimes: ways to take a step; empty for all.
    """

    systems: Annotated[tuple[str, ...], Option(SMALLEST, gate=SYSTEM.gate, rule=SYSTEM.rule)] = ()
    regimes: Annotated[
        tuple[str, ...],
        Option(
            f"{', '.join(REGIMES)}: the whole step in a format, or 16 bits by autocast, in linear layers, in these with their weights; default: all",
            gate=True, rule="names", parse="mpcheck.sessions.training_step.parsing:regimes",
        ),
    ] = ()  # fmt: skip


SESSION = SessionSpec(
    name=TRAINING_STEP,
    title="Judge one optimisation step of a model, from its loss to its new weights, at every format and backend.",
    order=19,
    one_thread=True,
    options=TrainingStepOptions,
    without=("blocks", "checks", "rows", "tolerances"),
    work="mpcheck.sessions.training_step.work:TrainingStepWork",
    folder="training_step",
    checks=(TRAINING_STEP,),
    columns=("subject", "backend", "variant"),
    compared="ratios",
)
