"""The table of policies over size, with the columns of Table 4.2 of the thesis "Speeding up MACE" (seeds/003), and RMS errors in place of its
differences of mean force magnitudes, which errors in opposite directions leave alone.
"""

from __future__ import annotations

from mpcheck._names import POLICY_SIZE
from mpcheck.records.document import Records
from mpcheck.records.policy_figures import PolicySize
from mpcheck.records.record import Record
from mpcheck.sessions.policy.answer import number

HEAD = ("cells", "atoms", "policy", "backend", "ms", "times float64", "E, eV", "ΔE, eV", "ppm", "F, eV/Å", "ΔF, meV/Å", "%", "MB")
"""``E``: float64's energy of one structure; ``ΔE``: the policy's less that; ppm: of it. ``F``: float64's RMS force; ``ΔF``: RMS error."""
RIGHT = "lrll" + "r" * 9


def size_rows(document: Records) -> list[list[str]]:
    """All that was measured, the smallest first."""
    return [_cells(r, r.detail) for r in document.of(POLICY_SIZE) if isinstance(r.detail, PolicySize)]


def left_out(document: Records) -> list[str]:
    """Sizes that were not measured and why, a line each."""
    return [f"{r.where}: {r.reason}" for r in document.of(POLICY_SIZE) if r.verdict == "unsupported" and not r.backend]


def _cells(record: Record, found: PolicySize) -> list[str]:
    n = record.system.rpartition(":")[2]
    cells = f"{n}³" if record.batch in (None, 1) else f"{record.batch} × {n}³"
    gain = "–" if found.speedup_float64 is None else f"{found.speedup_float64:.2f}"
    if found.speedup_float64_low is not None and found.speedup_float64_high is not None:
        gain += f" ±{(found.speedup_float64_high - found.speedup_float64_low) / 2:.2f}"
    policy = record.subject + (f" +{record.variant}" if record.variant else "")
    ppm = 1e6 * abs(found.offset_eV / found.total_eV) if found.offset_eV is not None and found.total_eV else None
    percent = None if found.force_relative is None else 100 * found.force_relative
    offset = None if found.offset_eV is None else 0.0 if abs(found.offset_eV) < 1e-9 else found.offset_eV
    force = None if found.force_meV_per_A is None else 0.0 if found.force_meV_per_A < 1e-9 else found.force_meV_per_A
    return [
        cells, f"{found.atoms:.0f}", policy, record.backend, "–" if found.median_ms is None else f"{found.median_ms:.1f}", gain,
        "–" if found.total_eV is None else f"{found.total_eV:.3f}", number(offset), "0" if offset == 0 else number(ppm),
        number(found.force_eV_per_A), number(force), "0" if force == 0 else number(percent),
        "–" if found.peak_bytes is None else f"{found.peak_bytes / 1e6:.0f}",
    ]  # fmt: skip
