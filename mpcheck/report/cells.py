"""How cells are told: those of the precision session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mpcheck._names import GOLDEN, PRECISION
from mpcheck._text import counted
from mpcheck.records.document import Records
from mpcheck.records.items import Item
from mpcheck.report import markdown, terminal


class CellsShown:
    """See :class:`mpcheck.report.showing.Showing`."""

    def terminal(self, document: Records, notes: Sequence[str] = (), color: bool = False, whole: bool = False) -> str:
        """Blocks by formats."""
        return terminal.render(document, color, notes, whole)

    def markdown(self, document: Records, notes: Sequence[str] = ()) -> str:
        """Failures, blocks by formats, ratios, golden values."""
        return markdown.render(document, notes)

    def note(self, document: Records, items: Sequence[Item]) -> str:
        """Golden values and drift."""
        golden = [i for i in items if i.check == GOLDEN]
        drift = Counter(c.drift for c in document.of(PRECISION))
        parts = [f"golden float64: {counted(len(golden), 'tensor')}, {sum(i.failed for i in golden)} differ"] if golden else []
        if drift["fail"] or drift["pass"]:
            parts.append(f"drift: {drift['pass']:,} within the stored ratios, {drift['fail']:,} beyond")
        if drift["inputs-moved"]:
            parts.append(f"drift: {counted(drift['inputs-moved'], 'cell')} beyond on inputs that another block moved")
        if drift["no-baseline"]:
            parts.append(f"drift: no baseline for {counted(drift['no-baseline'], 'cell')} on this device")
        return "; ".join(parts)

    def pictures(self, directory: Path, document: Records) -> list[Path]:
        """Worst ratio of every block and format; none of a run that was stopped before its first cell."""
        if not document.of(PRECISION):
            return []
        from mpcheck.report.pictures.sessions import write_precision_picture

        path = directory / f"{document.suite}.svg"
        write_precision_picture(path, document)
        return [path]


SHOWING = CellsShown()
