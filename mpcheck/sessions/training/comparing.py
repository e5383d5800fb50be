"""A regime against float64, over the seeds of both."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck.learning.decide import Decided, decided
from mpcheck.learning.labels import SPLITS
from mpcheck.learning.regimes import PLAIN
from mpcheck.records.record import Planned, Record
from mpcheck.records.training_figures import Compared, TrainingCompared, TrainingRun
from mpcheck.records.typed_figures import finite
from mpcheck.records.verdicts import Verdict

FIGURES = ("energy_meV_per_atom", "force_meV_per_A", "inter_meV_per_A", "intra_meV_per_A")
JUDGED = ("energy_meV_per_atom", "force_meV_per_A")
"""On the test split, of float32: it has to be as good as float64."""
UNITS = {"energy_meV_per_atom": "energies", "force_meV_per_A": "forces"}


def compare(planned: Planned, own: Sequence[Record], reference: Sequence[Record], margin: float) -> Record:
    """Every figure of every split. A regime that is less accurate is told; float32 that is, is red.

    Args:
        own, reference: records of trainings by seed, in the same order. margin: percent.
    """
    mine, theirs = _details(own), _details(reference)
    if len(mine) < len(own) or len(theirs) < len(own):
        reason = next((r.reason for r in (*own, *reference) if not isinstance(r.detail, TrainingRun)), "a training has no figures")
        return Record(**planned.about, key=planned.key, verdict="unsupported", reason=f"nothing to compare: {reason}")
    found: dict[tuple[str, str], Decided] = {}
    for split in SPLITS:
        for figure in FIGURES:
            values, base = (_values(runs, split, figure) for runs in (mine, theirs))
            if base and None not in base and any(base):
                found[split, figure] = decided([float("nan") if v is None else v for v in values], [b or 0.0 for b in base], margin)
    detail = TrainingCompared(seeds=float(len(own)), margin_percent=margin, compared=[
        Compared(split=split, figure=figure, mean_percent=finite(d.mean), low_percent=finite(d.low), high_percent=finite(d.high), decision=d.decision)
        for (split, figure), d in found.items()
    ])  # fmt: skip
    verdict, reason = _judged(planned.subject, found, margin)
    return Record(**planned.about, key=planned.key, verdict=verdict, reason=reason, detail=detail)


def _judged(regime: str, found: dict[tuple[str, str], Decided], margin: float) -> tuple[Verdict, str]:
    """Float32's verdict; the others' is told by their decisions."""
    if regime != PLAIN:
        return "pass", ""
    judged = {figure: found["test", figure] for figure in JUDGED if ("test", figure) in found}
    wrong = [
        f"{UNITS[f]} of the test set err by {d.mean:+.1f} % ({d.low:+.1f} to {d.high:+.1f})" for f, d in judged.items() if d.decision == "different"
    ]
    if wrong:
        return "fail", f"{regime} does not train as float64 does, within {margin:g} %: {'; '.join(wrong)}"
    open_ = [UNITS[f] for f, d in judged.items() if d.decision == "cannot tell"]
    return ("inconclusive", f"too few seeds to tell of {' and '.join(open_)}; give --seeds more") if open_ or not judged else ("pass", "")


def _details(records: Sequence[Record]) -> list[TrainingRun]:
    return [r.detail for r in records if isinstance(r.detail, TrainingRun)]


def _values(runs: Sequence[TrainingRun], split: str, figure: str) -> list[float | None]:
    return [getattr(errors, figure) for run in runs for errors in run.errors if errors.split == split]
