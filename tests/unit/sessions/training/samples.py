"""Records of trainings as a run writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mpcheck._names import TRAINING, TRAINING_COMPARED
from mpcheck.records.document import Environment, JudgedModel, Records
from mpcheck.records.record import Planned, Record
from mpcheck.records.training_figures import GradientFigures, SplitErrors, TrainingRun
from mpcheck.sessions.training.comparing import compare

SPLITS = ("train", "validation", "test")


def run(regime: str, seed: int, force: float | None, energy: float = 10.0, **more: object) -> Record:
    """A training whose forces err by so many meV/Å on every split."""
    share, scaled = (None if force is None else force / 10), "fp16" in regime
    errors = [
        SplitErrors(
            split=split, energy_meV_per_atom=energy, force_meV_per_A=force, force_percent=share, inter_meV_per_A=share, inter_percent=80.0,
            intra_meV_per_A=force, intra_percent=12.0, force_meV_per_A_64=force,
        )
        for split in SPLITS
    ]  # fmt: skip
    detail = TrainingRun(
        seed=seed, epochs=2, steps=4, weights="ema", train_loss=[2.0, 1.0], validation_loss=[3.0, 2.0, 1.0 if force else None],
        seconds_per_epoch=0.5, errors=errors, scale_steps=[0, 2] if scaled else [], scales=[256.0, 512.0] if scaled else [],
        overflows=0.0 if scaled else None,
        gradients=[GradientFigures(layer="products.0.linear", when="start", relative_error=1e-3, in_u=2.0, lost=0.02, below=0.1, beyond=0.0)],
    )  # fmt: skip
    about = {"check": TRAINING, "subject": regime, "variant": f"seed {seed}"}
    fields: Mapping[str, object] = {"verdict": "pass", "detail": detail, "key": f"{TRAINING}/{regime}/seed-{seed}", **more}
    return Record.model_validate({**about, **fields})


def planned_comparison(regime: str) -> Planned:
    key = f"{TRAINING_COMPARED}/{regime}"
    return Planned(key=key, check=TRAINING_COMPARED, subject=regime)


def document(**forces: Sequence[float | None]) -> Records:
    """A run of regimes, by name with underscores, each with the force errors of its seeds; the first is float64."""
    named = {name.replace("__", "+").replace("_", "-"): values for name, values in forces.items()}
    trainings = {name: [run(name, seed, value) for seed, value in enumerate(values)] for name, values in named.items()}
    compared = [compare(planned_comparison(name), own, trainings["float64"], 10.0) for name, own in trainings.items() if name != "float64"]
    records = [record for own in trainings.values() for record in own] + compared
    return Records(
        mpcheck="0",
        environment=Environment(device="cpu", device_slug="cpu", device_name="a processor", python="3", platform="p", packages={"torch": "2"}),
        model=JudgedModel(name="recipe:small", digest="0", stored_dtype="float64"), systems=[], options={}, seconds=1.0, suite="training",
        plan=[Planned(key=r.key, **r.about) for r in records], state="complete", records=records,
    )  # fmt: skip
