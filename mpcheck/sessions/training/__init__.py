"""The training session: can one still learn in lower precision, and what does it cost in meV/atom and meV/Å?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

from mpcheck._files.kinds import SVG
from mpcheck._names import TRAININGS
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import MODEL, MODELS, Option, Options

SMALL = "recipe:small"
"""The model that is fitted to the data where the user names none; :mod:`mpcheck.learning.recipe`."""
EPOCHS, EPOCHS_LONG = 20, 100


@dataclass(frozen=True)
class TrainingOptions(Options):
    """What the training session takes.

    Attributes:
        model: to be trained anew, or on; regimes: empty for :data:`mpcheck.learning.regimes.DEFAULT`. seeds: trainings of each.
        data: a user's file; None for the built-in solvents. weights: which are judged. long: for :data:`EPOCHS_LONG` epochs.
    """

    told: ClassVar[tuple[str, ...]] = ("seeds", "epochs", "weights", "margin")

    model: Annotated[str, replace(MODEL, gate=False, help=f"{SMALL}, fitted to the data; or to be trained on: {MODELS}")] = SMALL
    regimes: Annotated[
        tuple[str, ...],
        Option("way to train, float64 besides; default: six, see the page on training", parse="mpcheck.sessions.training.parsing:regimes"),
    ] = ()
    seeds: Annotated[int, Option("trainings of each regime, with other weights and batches", metavar="N", least=1, most=32)] = 3
    epochs: Annotated[int, Option("of each training", metavar="N", least=1, most=10000)] = EPOCHS
    long: Annotated[bool, Option(f"train for {EPOCHS_LONG} epochs, where --epochs says nothing else")] = False
    data: Annotated[Path | None, Option("labelled structures, extended XYZ; default: built-in solvents", metavar="FILE")] = None
    energy_key: Annotated[str, Option("of energies in the file, eV", metavar="KEY")] = "REF_energy"
    forces_key: Annotated[str, Option("of forces in the file, eV/Å", metavar="KEY")] = "REF_forces"
    batch_size: Annotated[int, Option("structures of a batch", metavar="N", least=1, most=4096)] = 5
    learning_rate: Annotated[float, Option("at the start", metavar="X", least=0, most=1)] = 0.02
    weights: Annotated[
        str, Option("ema or trained: the moving average of weights, or the last ones", parse="mpcheck.sessions.training.parsing:weights")
    ] = "ema"
    margin: Annotated[float, Option("of equivalence with float64, percent of its RMSE", metavar="X", least=0.1, most=100)] = 10.0


SESSION = SessionSpec(
    name="training",
    command="train",
    title="Can one still learn in lower precision, and what does it cost in meV/atom and meV/Å?",
    order=19,
    one_thread=True,
    processes=2,
    options=TrainingOptions,
    without=(
        "systems",
        "backends",
        "formats",
        "blocks",
        "tolerances",
        "cache",
        "references",
        "rows",
        "cache_limit",
        "memory_limit",
        "require",
        "allow_degraded",
    ),
    work="mpcheck.sessions.training.work:TrainingWork",
    folder="training",
    checks=TRAININGS,
    columns=("subject", "variant"),
    compared="findings",
    shown="mpcheck.sessions.training.showing:SHOWING",
    extra=(("training-*.svg", SVG),),
)
