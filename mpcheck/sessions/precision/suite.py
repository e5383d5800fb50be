"""The precision suite: a session with its baselines. What the tests in tests/blocks call.

The path of a cell: it is planned (:func:`mpcheck.checks.precision.cell_keys`), replayed, and judged by its limits
(:func:`judge_by_limits`); repeated where it fails them; asked whether its block computes otherwise on the inputs that it always had
(:class:`Blame`); compared with its stored ratios (:mod:`mpcheck.sessions.precision.drift`); and recorded (:mod:`mpcheck.sessions.precision.work`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mpcheck._names import REFERENCE_BACKEND
from mpcheck._torch_state import neutral
from mpcheck._unsupported import BASELINE
from mpcheck.adapters.graph import make_graph
from mpcheck.checks.golden import compare_golden, golden_paths, load_golden, measure
from mpcheck.checks.precision import CellKey
from mpcheck.formats import FLOAT64, get_format
from mpcheck.history.ratios import Baseline, Entry, baseline_path, read_baseline
from mpcheck.judge.tolerances import limits_for
from mpcheck.records.environment import device_slug
from mpcheck.records.record import Record
from mpcheck.records.tensors import Drift
from mpcheck.sessions.precision.blame import Blame
from mpcheck.sessions.precision.drift import Drifted, drifted, own_zeros
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.precision.replays import failed, races, repeated
from mpcheck.sessions.run import Session


class Suite:
    """Judges cells against limits, stored ratios and golden values."""

    def __init__(self, session: Session, directory: Path | None) -> None:
        """Args:
        directory: of baselines; None to judge by limits alone.

        Raises:
            InputError: a damaged baseline.
        """
        self.session = session
        self.directory = directory
        self.slug = device_slug(str(session.device))
        self.baseline: Baseline | None = read_baseline(baseline_path(directory, self.slug)) if directory else None
        self.blame = Blame(session, self.baseline.references if self.baseline else {})

    @neutral()
    def judge(self, key: CellKey) -> Record:
        """One cell by its limits, what its block computes, and its stored ratios."""
        cell = self._by_limits(key)
        if not cell.quantities or cell.verdict == "known-fault":
            return cell
        stored = self._stored(key.system)
        if stored is None:
            return self._without_baseline(cell)
        if changed := self.blame.accused(key):
            return _red(cell, [changed])
        entry = stored.cells.get(cell.id)
        return self._without_baseline(cell) if entry is None else self._by_ratios(key, cell, entry)

    def _by_limits(self, key: CellKey) -> Record:
        """A cell by its limits; what fails them once has failed, and is told how often it does."""
        cell = judge_by_limits(self.session, key)
        if cell.verdict in ("pass", "unsupported", "known-fault"):
            return cell
        return failed(cell, repeated(cell, lambda: judge_by_limits(self.session, key)))

    def _stored(self, system: str) -> Baseline | None:
        """The baseline, where it is one of this model, system and seed."""
        session, stored = self.session, self.baseline
        known = stored is not None and stored.matches(session.model.digest, system, session.systems[system].digest, session.options.seed)
        return stored if known else None

    def _by_ratios(self, key: CellKey, cell: Record, entry: Mapping[str, Entry]) -> Record:
        """A cell by its stored ratios: one that drifts is excused where another block is to blame, and repeated where it is not."""
        moved = self._drifted(key, cell, entry)
        if not moved:
            new = [q.name for q in cell.quantities if q.name not in entry]
            return _noted(cell, "pass", f"no stored ratio of {', '.join(new)}" if new else "")
        if cell.verdict == "pass" and (excuse := self.blame.excused(key, moved)):
            return _noted(cell, "inputs-moved", f"{moved[0].text}; {excuse}")
        every = repeated(cell, lambda: judge_by_limits(self.session, key)) if cell.verdict == "pass" else [cell]
        if broken := [c for c in every if c.verdict != "pass"]:
            return _red(failed(broken[0], every), [m.text for m in moved])
        drifts = [self._drifted(key, c, entry) for c in every]
        number, said = sum(map(bool, drifts)), [m.text for m in moved]
        if 2 * number < len(every) and all(self._races(key, d.quantity) for ds in drifts for d in ds):
            undisturbed = every[next(i for i, texts in enumerate(drifts) if not texts)]
            return _noted(undisturbed, "pass", f"drifted in {number} of {len(every)} replays, where the order of a sum is a race ({said[0]})")
        said += [f"intermittent: drifted in {number} of {len(every)} replays"] if number < len(every) else []
        return _red(cell, said, self.blame.elsewhere(key, moved))

    def _drifted(self, key: CellKey, cell: Record, entry: Mapping[str, Entry]) -> list[Drifted]:
        """Whatever left its stored ratio in a replay."""
        session, reference = self.session, self.session.library(key.system).get(key.block)
        backend = session.reference_backend
        own = own_zeros(key, reference, backend.roundoff(reference.block, get_format(key.format)), backend.name, entry)
        return drifted(cell, entry, session.tolerances, own)

    def _races(self, key: CellKey, quantity: str) -> bool:
        noise = self.session.library(key.system).get(key.block).noise
        return races(key, noise.get(quantity, {}), self.session.device.type)

    def _without_baseline(self, cell: Record) -> Record:
        if BASELINE in self.session.required:
            reason = "; ".join(filter(None, [cell.reason, f"required: no baseline for {self.slug}"]))
            return cell.drifted("no-baseline", verdict="fail", lacking=BASELINE, reason=reason)
        return cell.drifted("no-baseline")

    def golden_systems(self) -> list[str]:
        """Systems of this run that have golden values for this model."""
        if self.directory is None or not self.session.options.model.startswith("builtin:") or FLOAT64.name not in self.session.options.formats:
            return []
        return [s for s in self.session.systems if golden_paths(self.directory, self.session.options.model, s)[1].is_file()]

    @neutral()
    def compare_golden(self, system: str) -> list[Record]:
        """Today's float64 values against the committed ones, on the committed structure.

        Raises:
            InputError: a damaged golden file.
        """
        session = self.session
        assert self.directory is not None  # no system has golden values then
        golden = load_golden(golden_paths(self.directory, session.options.model, system))
        model = session.reference_backend
        graph = make_graph(golden.frames, session.model.elements, session.model.r_max, session.model.heads, session.model.inputs)
        today = measure(model.model, {k: v.to(model.device) for k, v in graph.items()})
        limits = limits_for(session.tolerances, "golden", REFERENCE_BACKEND, FLOAT64.name, "forward")
        return compare_golden(golden, today, limits, system)


def _noted(cell: Record, drift: Drift, note: str) -> Record:
    """A cell that is not red by drift."""
    return cell.drifted(drift, note=", ".join(filter(None, [cell.note, note])))


def _red(cell: Record, drifts: Sequence[str], elsewhere: str = "") -> Record:
    """A cell that is red by drift, besides what it failed by; ``elsewhere``: who is to blame where the block is not."""
    more = f" (+{len(drifts) - 1})" if len(drifts) > 1 and not drifts[-1].startswith("intermittent") else ""
    said = [drifts[0] + more, *(d for d in drifts[1:] if d.startswith("intermittent"))]
    return cell.drifted("fail", verdict="fail", reason="; ".join(filter(None, [cell.reason, *said, elsewhere])))
