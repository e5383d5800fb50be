"""Write docs/measured.md, a summary of three sessions' records: ``python tools/measured.py REPORTS``.

``REPORTS`` holds ``precision.json``, ``symmetry.json`` and ``audit.json`` of one model on one machine. The Markdown files beside them have
the full tables.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mpcheck._files.io import write_text
from mpcheck._names import PRECISION
from mpcheck._text import markdown as escape
from mpcheck._text import markdown_table
from mpcheck.records.document import Records, read_records
from mpcheck.records.record import Record
from mpcheck.records.tensors import Quantity

FORMATS = ("float32", "tf32", "bfloat16", "float16")
SHOWN = 10
"""Rows of the table of largest ratios."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1) -> list[str]:
    """A Markdown table, numbers to the right."""
    return markdown_table(head, rows, "l" * text_columns + "r" * (len(head) - text_columns))


def figure(value: object) -> str:
    """A metric in three digits; empty where there is none."""
    return f"{value:.3g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def quantities(run: Records, fmt: str, backend: str) -> list[tuple[Record, Quantity, float]]:
    """Every judged tensor of a format on a backend, with its ratio."""
    return [(c, q, q.rms) for c in run.of(PRECISION) if (c.format, c.backend) == (fmt, backend) for q in c.quantities if q.rms is not None]


def distributions(run: Records) -> list[str]:
    """Ratios of all tensors, a row for each backend and format."""
    rows = []
    for backend in dict.fromkeys(c.backend for c in run.of(PRECISION)):
        for fmt in FORMATS:
            if values := sorted(r for _, _, r in quantities(run, fmt, backend)):
                at = [values[min(len(values) - 1, int(p * len(values)))] for p in (0.5, 0.95, 0.99)]
                above = sum(v > 1 for v in values) / len(values)
                rows.append([backend, fmt, str(len(values)), *(f"{v:.2f}" for v in (*at, values[-1])), f"{above:.1%}"])
    return table(["backend", "format", "tensors", "median", "95 %", "99 %", "largest", "above 1"], rows, 2)


def largest(run: Records) -> list[str]:
    """Blocks of e3nn whose worst ratio exceeds 1 in a 16-bit format: the worst tensor of each, the largest first."""
    worst: dict[str, tuple[float, Record, Quantity]] = {}
    for fmt in ("bfloat16", "float16"):
        for cell, quantity, ratio in quantities(run, fmt, "e3nn"):
            if ratio > max(1.0, worst.get(cell.subject, (0.0,))[0]):
                worst[cell.subject] = (ratio, cell, quantity)
    ordered = sorted(worst.items(), key=lambda item: -item[1][0])
    rows = [
        [f"`{block}`", c.format, f"`{q.name}`", f"{ratio:.2f}", "" if q.rms_limit is None else f"{q.rms_limit:.2f}"]
        for block, (ratio, c, q) in ordered[:SHOWN]
    ]
    title = f"e3nn, 16-bit: {len(worst)} blocks have a tensor above 1" + (f"; the {SHOWN} largest:" if len(worst) > SHOWN else ":")
    return [title, "", *table(["block", "format", "tensor", "ratio", "limit"], rows, 3)]


def ranges(run: Records, check: str, group: Callable[[Record], str], head: str) -> list[str]:
    """Of each group of a check's findings: how many, their verdicts, the largest ratio and share of the limit, and where that is."""
    groups: dict[str, list[Record]] = {}
    for f in run.of(check):
        groups.setdefault(group(f), []).append(f)
    rows = []
    for name, own in groups.items():
        verdicts = ", ".join(f"{n} {v}" for v, n in Counter(f.verdict for f in own).most_common())
        judged = [(f.ratio / f.limit, f.ratio, f) for f in own if f.verdict in ("pass", "fail") and f.ratio is not None and f.limit]
        share, ratio, at = max(judged, key=lambda j: j[0], default=(None, None, None))
        place = "" if at is None or not share else ", ".join(filter(None, ("" if name == at.subject else at.subject, at.backend, at.variant)))
        rows.append([escape(name) or "all", verdicts, escape(place), figure(ratio), "" if share is None else f"{share:.0%}"])
    return table([head, "findings", "nearest to its limit", "its ratio", "of the limit"], rows, 3)


def counts(run: Records, check: str, head: str) -> list[str]:
    """Verdicts of a check's findings by variant."""
    own = run.of(check)
    verdicts = list(dict.fromkeys(f.verdict for f in own))
    number = Counter((f.variant, f.verdict) for f in own)
    return table(
        [head, *verdicts], [[variant or "–", *(str(number[variant, v]) for v in verdicts)] for variant in dict.fromkeys(f.variant for f in own)]
    )


def mixing(run: Records) -> list[str]:
    """What unadapted swaps of one block do to the whole model, and what is left of it with adapters."""
    rows = []
    for variant in ("bare", "adapted"):
        own = [f for f in run.of("mix") if f.variant == variant]
        moved = [f for f in own if variant == "adapted" or f.figures.get("mismatched")]
        changes = [[v for f in moved if isinstance(v := f.figures.get(k), float)] for k in ("features_relative_l2", "energy_eV_per_atom")]
        cells = [figure(max(values, default=None)) for values in changes]
        rows.append(["without" if variant == "bare" else "with", str(len(own)), str(sum(bool(f.figures.get("mismatched")) for f in own)), *cells])
    return table(["adapters", "swaps", "mismatches seen", "largest change of node features, relative L2", "of the energy, eV/atom"], rows)


def accumulation(run: Records) -> list[str]:
    """How many blocks accumulate in which way, by format."""
    own = [f for f in run.of("accumulation") if "accumulation" in f.figures]
    kinds = list(dict.fromkeys(str(f.figures["accumulation"]) for f in own))
    counts = Counter((f.format, str(f.figures["accumulation"])) for f in own)
    return table(["format", *kinds], [[fmt, *(str(counts[fmt, k]) for k in kinds)] for fmt in dict.fromkeys(f.format for f in own)])


def energies(run: Records) -> list[str]:
    """Error of the energy sum per atom, E0 as upstream stores and adds it and kept in float64."""
    rows: dict[str, dict[tuple[str, str], str]] = {}
    for f in run.of("reductions"):
        if f.variant in ("as upstream", "E0 in float64") and f.format in ("float32", "bfloat16"):
            name = f.subject.removesuffix(", E0 in float64")
            rows.setdefault(name, {})[f.format, f.variant] = figure(f.figures.get("error_meV_per_atom"))
    columns = [(fmt, how) for fmt in ("float32", "bfloat16") for how in ("as upstream", "E0 in float64")]
    return table(["sum", *(f"{fmt}, {how}" for fmt, how in columns)], [[escape(n), *(row.get(c, "") for c in columns)] for n, row in rows.items()])


def known(run: Records) -> list[str]:
    """Faults of upstream that showed, one line each: the same fault on another backend or system counts only."""
    faults: dict[str, list[Record]] = {}
    for f in run.records:
        if f.verdict == "known-fault":
            faults.setdefault(f.reason.rpartition("[known fault ")[2].rstrip("]") or f.reason, []).append(f)
    return [f"- {escape(name)}: {len(own)}. {escape(own[0].id)}: {escape(own[0].reason.rpartition(' [')[0])}" for name, own in faults.items()]


def main(reports: Path) -> None:
    """Write the page."""
    run, symmetry, audit = (read_records(reports / f"{name}.json") for name in ("precision", "symmetry", "audit"))
    facts, packages = run.environment, run.environment.packages
    lines = [
        "# Measured", "",
        f"Written by `python tools/measured.py reports` from `mpcheck run`, `symmetry` and `audit`: {escape(run.model.name)}, {len(run.systems)} "
        f"systems, {escape(facts.device_name)}, {facts.threads} thread(s), torch {packages['torch']}, mace {packages['mace-torch']}, "
        f"cuEquivariance {packages.get('cuequivariance', 'none')} (its naive method on a CPU). "
        "The sessions' own `.md` files hold every row.", "",
        "## Rounding ratios", "", *distributions(run), *largest(run),
        "Each is decided by few independent roundings: a sum over one graph, one row's gradient, a bias. Its limit allows for that "
        "([why](ratios.md#the-limits)).", "",
        "## Symmetry", "", "### Equivariance", "", *ranges(symmetry, "equivariance", lambda f: f.format, "format"),
        "### Wrong layout, fed on purpose", "", *counts(symmetry, "layout", "to"),
        "### One block of another backend", "", *mixing(symmetry),
        "### Conversion", "", *ranges(symmetry, "conversion", lambda f: f.variant, "compared"),
        "## Audit", "", "### Accumulation", "", "Blocks on both backends, by how their sums accumulate:", "", *accumulation(audit),
        "### Energy sum", "", "Error in meV/atom:", "", *energies(audit),
        "### Physics", "", *ranges(audit, "physics", lambda f: f.subject, "property"),
        "## Known faults of upstream that showed", "", *known(symmetry), *known(audit), "",
    ]  # fmt: skip
    write_text(Path("docs/measured.md"), "\n".join(lines))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
