"""The whole model in every format, at a glance: rows of a table."""

from __future__ import annotations

from mpcheck._names import WHOLE
from mpcheck._text import number
from mpcheck.records.document import Records
from mpcheck.records.policy_figures import WholeModel
from mpcheck.records.record import Record

HEAD = ("format", "backend", "meV/atom", "meV/Å", "relative", "GPa", "ms", "times as fast")
NOTHING = "–"
HINT = "`mpcheck policy` says which of them is safe, and what mixes are"


def whole_title(run: Records) -> str:
    """What the table is of: the structure, and whether it is a part of it."""
    first = run.of(WHOLE)[0]
    return f"the whole model on {first.system}{f' ({first.note})' if first.note else ''}, against float64 ({HINT})"


def whole_rows(run: Records) -> list[list[str]]:
    """A row for each format and backend, in the order of the formats; of the first system."""
    every = run.of(WHOLE)
    own = [record for record in every if record.system == every[0].system]
    formats = list(dict.fromkeys(r.format for r in own))
    return [_row(r) for r in sorted(own, key=lambda r: formats.index(r.format))]


def _row(record: Record) -> list[str]:
    found = record.detail
    if not isinstance(found, WholeModel):
        return [record.format, record.backend, *[NOTHING] * 5, record.verdict]
    figures = (found.energy_meV_per_atom, found.force_meV_per_A, found.force_relative, found.stress_GPa)
    gain = NOTHING
    if found.speedup is not None and found.speedup_low is not None and found.speedup_high is not None:
        gain = f"{found.speedup:.2f} ±{(found.speedup_high - found.speedup_low) / 2:.2f}"
    return [record.format, record.backend, *(number(v, 2) for v in figures), number(found.median_ms), gain]
