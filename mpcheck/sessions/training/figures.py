"""A training as a record."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._text import listed
from mpcheck.learning.errors import Errors
from mpcheck.learning.training import Run
from mpcheck.learning.wrong import wrongs
from mpcheck.records.record import Planned, Record
from mpcheck.records.training_figures import GradientFigures, SplitErrors, TrainingRun
from mpcheck.records.typed_figures import finite

FIGURES = ("energy_meV_per_atom", "force_meV_per_A", "force_percent", "inter_meV_per_A", "inter_percent", "intra_meV_per_A", "intra_percent")


def record_of(run: Run, planned: Planned, seconds: float) -> Record:
    """Red where something is wrong with it."""
    found = wrongs(run)
    told = [f"{one.what}: {one.text}" for one in found]
    reason = "; ".join(told[:2]) + (f"; {len(told) - 2} more: {listed([w.layer or w.what for w in found[2:]], 3)}" if len(told) > 2 else "")
    return Record(
        **planned.about, key=planned.key, verdict="fail" if found else "pass", reason=reason, block=next((w.layer for w in found if w.layer), ""),
        cause=found[0].what if found else "", seconds=seconds, detail=_figures(run, [w.what for w in found]),
    )  # fmt: skip


def _figures(run: Run, wrong: Sequence[str]) -> TrainingRun:
    changes = [step for step, scale in enumerate(run.scales) if not step or scale != run.scales[step - 1]]
    return TrainingRun(
        seed=run.settings.seed, epochs=run.settings.epochs, steps=run.steps, weights=run.evaluated,
        train_loss=[finite(v) for v in run.train_loss], validation_loss=[finite(v) for v in run.validation_loss],
        scale_steps=changes, scales=[run.scales[step] for step in changes], overflows=float(len(run.overflowed)) if run.scales else None,
        seconds_per_epoch=run.seconds_per_epoch, errors=[_errors(split, own, run.errors64[split]) for split, own in run.errors.items()],
        gradients=[
            GradientFigures(
                layer=g.layer, when=g.when, relative_error=finite(g.relative_error), in_u=finite(g.in_u), lost=g.lost, below=g.below, beyond=g.beyond
            )
            for g in run.layers
        ],
        wrong=list(dict.fromkeys(wrong)),
    )  # fmt: skip


def _errors(split: str, own: Errors, exact: Errors) -> SplitErrors:
    figures = {name: finite(getattr(own, name)) for name in FIGURES}
    both = {"energy_meV_per_atom_64": finite(exact.energy_meV_per_atom), "force_meV_per_A_64": finite(exact.force_meV_per_A)}
    return SplitErrors(split=split, **figures, **both)
