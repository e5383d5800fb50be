"""The precision suite: a session with its baselines. What the tests in tests/blocks call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpcheck._torch_state import neutral
from mpcheck._unsupported import BASELINE
from mpcheck.adapters.graph import make_graph
from mpcheck.baselines import Baseline, Entry, baseline_path, drifted, read_baseline
from mpcheck.checks.golden import compare_golden, golden_paths, load_golden, measure
from mpcheck.checks.precision import CellKey
from mpcheck.environment import device_slug
from mpcheck.records import Cell
from mpcheck.session import Session
from mpcheck.tolerances import limits_for

REPLAYS = 3  # of a drifted cell


class Suite:
    """Judges cells against limits, stored ratios and golden values."""

    def __init__(self, session: Session, directory: Path) -> None:
        """Args:
        directory: of baselines.

        Raises:
            InputError: a damaged baseline.
        """
        self.session = session
        self.directory = directory
        self.slug = device_slug(str(session.device))
        self.baseline: Baseline | None = read_baseline(baseline_path(directory, self.slug))

    @neutral()
    def judge(self, key: CellKey) -> Cell:
        """One cell with all three gates."""
        cell = self.session.judge(key)
        if not cell.quantities or cell.verdict == "unsupported":  # the latter: a known fault of upstream
            return cell
        session = self.session
        stored = self.baseline
        if stored is None or not stored.matches(session.model.digest, key.system, session.systems[key.system].digest, session.options.seed):
            return self._without_baseline(cell)
        entry = stored.cells.get(cell.id)
        if entry is None:
            return self._without_baseline(cell)
        moved = drifted(cell, entry, session.tolerances.drift)
        if moved and (calm := self._calm_replay(key, entry)) is not None:
            note = ", ".join(filter(None, [cell.note, f"one replay drifted, the next did not ({moved[0]})"]))
            return calm.model_copy(update={"drift": "pass", "note": note})
        if not moved:
            return cell.model_copy(update={"drift": "pass"})
        reason = "; ".join(filter(None, [cell.reason, moved[0]])) + (f" (+{len(moved) - 1})" if len(moved) > 1 else "")
        return cell.model_copy(update={"drift": "fail", "verdict": "fail", "reason": reason})

    def _calm_replay(self, key: CellKey, entry: Mapping[str, Entry]) -> Cell | None:
        """A repeated replay that passes and does not drift; None where every one drifts.

        torch's CPU kernels for index_put add with atomics as soon as there are two threads: the order of a float32 sum is
        then a race, whose outcome under load can lie far from the stored one (measured in interactions.0 backward: ratio
        0.53 in one order, 0.76 in another). A changed kernel drifts in every replay.
        """
        for _ in range(REPLAYS):
            again = self.session.judge(key)
            if again.verdict == "pass" and not drifted(again, entry, self.session.tolerances.drift):
                return again
        return None

    def _without_baseline(self, cell: Cell) -> Cell:
        if BASELINE in self.session.required:
            return cell.model_copy(
                update={"drift": "no-baseline", "verdict": "fail", "lacking": BASELINE, "reason": f"required: no baseline for {self.slug}"}
            )
        return cell.model_copy(update={"drift": "no-baseline"})

    def golden_systems(self) -> list[str]:
        """Systems of this run that have golden values for this model."""
        if not self.session.options.model.startswith("builtin:") or "float64" not in self.session.options.formats:
            return []
        return [s for s in self.session.systems if golden_paths(self.directory, self.session.options.model, s)[1].is_file()]

    @neutral()
    def judge_golden(self, system: str) -> list[dict[str, Any]]:
        """Today's float64 values against the committed ones, on the committed structure.

        Raises:
            InputError: a damaged golden file.
        """
        session = self.session
        golden = load_golden(golden_paths(self.directory, session.options.model, system))
        model = session.reference_backend
        graph = make_graph(golden.frames, session.model.elements, session.model.r_max, session.model.heads)
        today = measure(model.model, {k: v.to(model.device) for k, v in graph.items()})
        limits = limits_for(session.tolerances, "golden", "e3nn", "float64", "forward")
        return [{"system": system, **row} for row in compare_golden(golden, today, limits)]
