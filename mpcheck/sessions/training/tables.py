"""Rows of the training session's tables: means over seeds, in the layout of the thesis' Table 4.6, and what float64 is compared by."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mpcheck._names import TRAINING, TRAINING_COMPARED, TRAINING_DYNAMICS
from mpcheck._text import number
from mpcheck.learning.labels import SPLITS
from mpcheck.learning.regimes import REFERENCE, REGIMES
from mpcheck.records.document import Records
from mpcheck.records.record import Record
from mpcheck.records.training_figures import Compared, TrainingCompared, TrainingDynamics, TrainingRun

ERRORS = ("split", "default", "lowered", "regime", "E meV/atom", "F meV/Å", "F %", "E beside float64", "F beside float64", "")
PARTS = ("split", "regime", "between meV/Å", "%", "within meV/Å", "%", "between, beside float64", "within")
COURSE = ("regime", "s/epoch", "loss, validation", "gradient error", "lost", "below range", "beyond", "steps left out", "loss scale")
MOVED = ("regime", "structure", "ps", "T, K", "distances in common with the labels", "")
FIELDS = ("energy_meV_per_atom", "force_meV_per_A", "inter_meV_per_A", "intra_meV_per_A")


@dataclass(frozen=True)
class Told:
    """All trainings of a regime. records: those that have figures beside those that have none."""

    regime: str
    records: list[Record]

    @property
    def runs(self) -> list[TrainingRun]:
        """Their figures, by seed."""
        return [r.detail for r in self.records if isinstance(r.detail, TrainingRun)]

    @property
    def red(self) -> bool:
        """Whether something is wrong with one of them."""
        return any(r.red for r in self.records)

    def values(self, split: str, figure: str) -> list[float]:
        """A figure by seed, of those that have it."""
        found = [getattr(e, figure) for run in self.runs for e in run.errors if e.split == split]
        return [v for v in found if v is not None]


def told(document: Records) -> list[Told]:
    """Regimes in the order in which they were trained."""
    by_name: dict[str, list[Record]] = {}
    for record in document.of(TRAINING):
        by_name.setdefault(record.subject, []).append(record)
    return [Told(name, own) for name, own in by_name.items()]


def compared(document: Records, regime: str) -> dict[tuple[str, str], Compared]:
    """By split and figure."""
    details = [r.detail for r in document.of(TRAINING_COMPARED) if r.subject == regime and isinstance(r.detail, TrainingCompared)]
    return {(one.split, one.figure): one for detail in details for one in detail.compared}


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over seeds."""
    if not values:
        return "–"
    mean = statistics.fmean(values)
    return f"{number(mean)} ±{number(statistics.stdev(values))}" if len(values) > 1 else number(mean)


def difference(one: Compared | None) -> str:
    """``+1.2 ±1.7 % equivalent``."""
    if one is None:
        return "–"
    if one.mean_percent is None:
        return "no number"
    within = "" if one.low_percent is None or one.high_percent is None else f" ±{(one.high_percent - one.low_percent) / 2:.1f}"
    return f"{one.mean_percent:+.1f}{within} % {one.decision}"


def error_rows(document: Records) -> Iterator[list[str]]:
    """By ``ERRORS``: split by split, as in the thesis."""
    for split in SPLITS:
        for one in told(document):
            regime, found = REGIMES.get(one.regime), compared(document, one.regime)
            types = [regime.base, regime.linear or regime.autocast] if regime is not None else ["", ""]
            figures = [spread(one.values(split, name)) for name in (*FIELDS[:2], "force_percent")]
            beside = ["" if one.regime == REFERENCE else difference(found.get((split, name))) for name in FIELDS[:2]]
            yield [split, *types, one.regime, *figures, *beside, "FAIL" if one.red else ""]


def part_rows(document: Records) -> Iterator[list[str]]:
    """By ``PARTS``; nothing of data without several molecules in a structure."""
    for split in SPLITS:
        for one in told(document):
            if not one.values(split, "inter_meV_per_A"):
                continue
            found = compared(document, one.regime)
            figures = [spread(one.values(split, name)) for name in ("inter_meV_per_A", "inter_percent", "intra_meV_per_A", "intra_percent")]
            yield [split, one.regime, *figures, *("" if one.regime == REFERENCE else difference(found.get((split, name))) for name in FIELDS[2:])]


def course_rows(document: Records) -> Iterator[list[str]]:
    """By ``COURSE``: how trainings went; of layers the largest figure, of seeds the mean."""
    for one in told(document):
        if not one.runs:
            continue
        scales = [f"{run.scales[-1]:g}" for run in one.runs if run.scales and run.scales[-1] is not None]
        left = [f"{run.overflows:g}" for run in one.runs if run.overflows is not None]
        losses = [run.validation_loss[-1] for run in one.runs if run.validation_loss and run.validation_loss[-1] is not None]
        seconds = [run.seconds_per_epoch for run in one.runs if run.seconds_per_epoch is not None]
        worst = [_worst(one.runs, name) for name in ("relative_error", "lost", "below", "beyond")]
        shares = [f"{100 * v:.2g} %" if v is not None else "–" for v in worst[1:]]
        yield [
            one.regime, spread(seconds), spread([v for v in losses if v is not None]), "–" if worst[0] is None else f"{worst[0]:.1e}", *shares,
            ", ".join(dict.fromkeys(left)) or "–", ", ".join(dict.fromkeys(scales)) or "–",
        ]  # fmt: skip


def moved_rows(document: Records) -> Iterator[list[str]]:
    """By ``MOVED``: a short run of each trained model; of pairs of elements the share of distances in common."""
    for record in document.of(TRAINING_DYNAMICS):
        if isinstance(d := record.detail, TrainingDynamics):
            common = ", ".join(f"{pair} {100 * share:.0f} %" for pair, share in d.overlap.items())
            yield [record.subject, d.structure, number(d.ps), number(d.temperature_K), common or "–", "FAIL" if record.red else d.lost]


def _worst(runs: Sequence[TrainingRun], name: str) -> float | None:
    values = [getattr(g, name) for run in runs for g in run.gradients]
    return max((v for v in values if v is not None), default=None)


def gap(document: Records) -> float | None:
    """The largest difference in percent between errors as trained and of the same weights in float64: whether inference adds to what is learned."""
    pairs = [(e.force_meV_per_A, e.force_meV_per_A_64) for one in told(document) for run in one.runs for e in run.errors]
    return max((100 * abs(a - b) / b for a, b in pairs if a is not None and b), default=None)
