"""What the terminal and the Markdown report both show: numbers, no presentation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mpcheck._names import GOLDEN, PRECISION, SMALL_TWIN
from mpcheck.records.attribution import INNERMOST
from mpcheck.records.document import Records
from mpcheck.records.record import Record
from mpcheck.records.verdicts import VERDICTS
from mpcheck.report.figure import figure


@dataclass(frozen=True)
class Entry:
    """One field of the table: the largest error over allowed error of a block in a format, over systems and directions."""

    share: float | None
    failed: bool
    unsupported: bool
    known: bool = False

    @property
    def text(self) -> str:
        """``0.83``, ``FAIL 12``, ``–`` where nothing ran."""
        if self.unsupported:
            return "–"
        shown = "" if self.share is None else figure(self.share)
        return f"{'FAIL' if self.failed else 'known' if self.known else ''} {shown}".strip()


def entry(cells: list[Record]) -> Entry:
    """Summarise cells; what failed without a finite figure counts as infinite."""
    ran = [c for c in cells if c.verdict != "unsupported"]
    if not ran:
        return Entry(None, False, True)
    worst = max((c.share for c in ran if c.ratio is not None or c.red), default=None)
    return Entry(worst, any(c.red for c in ran), False, any(c.verdict == "known-fault" for c in ran))


def table(run: Records) -> tuple[list[str], list[tuple[str, str, str, list[Entry]]]]:
    """Formats as columns, and one row per block and backend: (block, role, backend, entries)."""
    formats = list(dict.fromkeys(c.format for c in run.of(PRECISION)))
    rows: dict[tuple[str, str], list[Record]] = {}
    for cell in run.of(PRECISION):
        rows.setdefault((cell.subject, cell.backend), []).append(cell)
    return formats, [
        (block, cells[0].tensors.role, backend, [entry([c for c in cells if c.format == f]) for f in formats])
        for (block, backend), cells in rows.items()
    ]


def worst(run: Records, most: int = 5) -> list[str]:
    """Blocks nearest to their limit or beyond it; red ones first, innermost before what holds them."""
    red = dict.fromkeys(cell.subject for cell in failures(run) if cell.check == PRECISION)
    shares: dict[str, float] = {}
    for cell in run.of(PRECISION):
        if cell.ratio is not None:
            shares[cell.subject] = max(shares.get(cell.subject, 0.0), cell.share)
    return list(dict.fromkeys([*red, *sorted(shares, key=lambda name: -shares[name])]))[:most]


def counts(run: Records) -> dict[str, int]:
    """Cells by verdict."""
    tally: Counter[str] = Counter(c.verdict for c in run.of(PRECISION))
    return {v: tally[v] for v in VERDICTS if tally[v]}


def drift_counts(run: Records) -> dict[str, int]:
    """Cells by drift verdict."""
    return dict(Counter(c.drift for c in run.of(PRECISION) if c.drift != "off"))


def unsupported(run: Records) -> dict[str, int]:
    """Reasons for what did not run, and how many each."""
    return dict(Counter(c.reason for c in run.records if c.verdict == "unsupported").most_common())


def known_faults(run: Records) -> dict[str, int]:
    """Reasons of cells that show a known fault of upstream, and how many each."""
    return dict(Counter(c.reason for c in run.of(PRECISION) if c.verdict == "known-fault").most_common())


def small_twins(run: Records) -> str:
    """What there is to say of the small model in other layouts; empty where it was not looked at."""
    judged = run.of(SMALL_TWIN)
    failed = list(dict.fromkeys(r.backend for r in judged if r.red))
    sound = [f"{r.backend} ({r.figures['blocks']:.0f} blocks)" for r in judged if r.verdict == "pass"]
    parts = [f"agrees with e3nn in {', '.join(sound)}" if sound else "", f"does not in {', '.join(failed)}" if failed else ""]
    return f"small model of odd multiplicity: {'; '.join(filter(None, parts))}" if sound or failed else ""


def slowest(run: Records, count: int = 3) -> list[Record]:
    """The cells that took longest."""
    return sorted(run.of(PRECISION), key=lambda c: -c.seconds)[:count]


def failures(run: Records) -> list[Record]:
    """Red cells, and what is red besides golden values: innermost blocks first, because a composite is red when a leaf in it is."""
    return sorted((c for c in run.records if c.red and c.check != GOLDEN), key=lambda c: (INNERMOST[c.tensors.block], -(c.worst_rms or 1e300)))


def ratio_range(run: Records, fmt: str) -> tuple[float, float, float] | None:
    """Median, 95th percentile and largest rounding ratio over all quantities of a format."""
    values = sorted(q.rms for c in run.of(PRECISION) if c.format == fmt for q in c.quantities if q.rms is not None)
    if not values:
        return None
    return values[len(values) // 2], values[min(len(values) - 1, int(0.95 * len(values)))], values[-1]
