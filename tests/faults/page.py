"""Write docs/faults.md from what the sessions recorded: ``python -m tests.faults.page --reports reports --out docs/faults.md``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import get_args

from mpcheck._errors import InputError
from mpcheck._files.io import write_text
from mpcheck._text import markdown as escape
from mpcheck.records.environment import cpu_name
from tests.faults.catalogue import CheckName, load_catalogue, plantings
from tests.faults.curves import records as curve_records
from tests.faults.curves import table as curve_table
from tests.faults.deciders import comparison
from tests.faults.deciders import records as decider_records
from tests.faults.matrix.records import Row, read_rows
from tests.faults.policies.entries import load_faults as load_policy_faults
from tests.faults.twins.entries import load_twins
from tests.stability.records import Stability, read_stability

CHECKS: tuple[CheckName, ...] = get_args(CheckName)
MARKS = {"right": "●", "property": "◐", "wrong": "✗", "not seen": "·"}
TIERS = {
    "A": "silent wrong physics", "B": "lost precision", "C": "not finite, or a crash", "D": "weights, conversions, layouts",
    "E": "tests, benchmarks, speed", "F": "found since: training, outputs by flag, calculator, export",
}  # fmt: skip


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]


def by_fault(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of each fault's plantings."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.fault, []).append(row)
    return found


def complete(rows: Sequence[Row]) -> list[Row]:
    """The rows in the catalogue's order.

    Raises:
        InputError: a planting without a row, or a row of none.
    """
    held, wanted = {row.plant: row for row in rows}, [plant for plant, _, _ in plantings()]
    if missing := [p for p in wanted if p not in held]:
        raise InputError(f"the kill matrix lacks {', '.join(missing[:5])} ({len(missing)} of {len(wanted)}); run `nox -s faults` to its end")
    if stale := sorted(set(held) - set(wanted)):
        raise InputError(f"the kill matrix has a row of {stale[0]}, which the catalogue does not plant; remove its file or run `nox -s faults` again")
    return [held[p] for p in wanted]


def summary(rows: Sequence[Row]) -> list[str]:
    """Detection, in one paragraph."""
    faults = load_catalogue().faults
    scores = {fault: max(r.score for r in own) for fault, own in by_fault(rows).items()}
    full, half = [f for f, s in scores.items() if s == 1.0], [f for f, s in scores.items() if s == 0.5]
    missed = [f for f, s in scores.items() if s == 0.0]
    unseen = [row.plant for row in rows if row.score == 0.0]
    cannot = sum(1 for f in faults if f.cannot)
    return [
        f"{len(faults)} real faults are listed; {cannot} of them a CPU cannot show (below, with the reason). The other {len(scores)} are planted in "
        f"{len(rows)} ways. **{len(full)} are seen and put in the right place**, {len(half)} are seen without the right block"
        + (f" ({', '.join(half)})" if half else "")
        + f", {len(missed)} are not seen"
        + (f" ({', '.join(missed)})" if missed else "")
        + (f"; single plantings that are not: {', '.join(unseen)}" if unseen else "")
        + f". Score, a misplaced fault counting half: {sum(scores.values()):g} of {len(scores)}.",
        "",
    ]


def matrix(rows: Sequence[Row]) -> list[str]:
    """Fault by check."""
    lines = [
        "## Kill matrix", "",
        "● red, and names blocks that the fault is in and no other · ◐ red, names a property of the whole model and no block · "
        "✗ names a block that the fault is not in · `·` green · empty: not asked. The check that the fault was planted for is bold. "
        "Which blocks a fault is in is told by the code: those whose replay runs the fault's code or changes bit by bit.", "",
    ]  # fmt: skip

    def cell(row: Row, check: CheckName) -> str:
        entry = next((e for e in row.entries if e.check == check), None)
        if entry is None or not entry.work:
            return ""
        mark = MARKS[entry.blame]
        return f"**{mark}**" if check == row.expected else mark

    body = [[row.plant, f"`{row.patch}`", f"{row.backend} {row.format}", *(cell(row, c) for c in CHECKS), f"{row.score:g}"] for row in rows]
    totals = [sum(1 for row in rows for e in row.entries if e.check == c and e.blame != "not seen") for c in CHECKS]
    body.append(["", "red", "", *map(str, totals), ""])
    return lines + table(["fault", "planted as", "where", *CHECKS, "score"], body) + [""]


def each() -> list[str]:
    """What each planted fault was, and where it was reported."""
    lines = ["## The faults", "", "What the kill matrix plants; A4a and A4b are two plantings of A4.", ""]
    for tier, title in TIERS.items():
        body = [[f.id, escape(f.source), escape(f.symptom)] for f in load_catalogue().faults if f.id[0] == tier and f.plants]
        lines += [f"### {tier}: {title}", "", *table(["fault", "source", "symptom"], body), ""]
    return lines


def cannot() -> list[str]:
    """Faults that a CPU cannot show, and why."""
    body = [[f.id, escape(f.source), escape(f.symptom), escape(f.cannot)] for f in load_catalogue().faults if f.cannot]
    return ["## What a CPU cannot show", "", *table(["fault", "source", "symptom", "why"], body), ""]


def curves(reports: Path) -> list[str]:
    """Detection by size."""
    found = curve_records.read_curves(reports / "fault-curves.json")
    return [
        "## From which size on", "", "![what is seen from which size on](images/fault-curves.png)", "",
        "Magnitudes end at a million roundoffs, in float64 some 1e-10 of a value: what is not seen there by an absolute tolerance of 1e-7 was "
        "not meant to be. Curves of physics, layout and equivariance rest on few plantings; the intervals in the picture say how few.", "",
        curve_table.markdown(found), "",
    ]  # fmt: skip


def side_by_side(reports: Path) -> list[str]:
    """Other rules on the same data."""
    found = decider_records.read_comparison(reports / "fault-deciders.json")
    return ["## Side by side with other tolerances", "", comparison.markdown(found), ""]


def twins() -> list[str]:
    """Legitimate changes that look like the faults: how many there are, and which of them turn red."""
    entries = load_twins().twins
    alarms = [f"- {e.fault + e.planting}, `{e.twin}` ({escape(e.why)}): red in {', '.join(e.alarms)}." for e in entries if e.alarms]
    changed = sum(e.bits == "changed" for e in entries)
    return [
        "## Benign twins", "",
        f"Each planted fault has a twin, a legitimate change in the same place: {len(entries)} twins, of which {changed} change the bits of results. "
        f"Their checks must stay as they are without. Known false alarms: {len(alarms) or 'none'}.", "",
        *alarms, *([""] if alarms else []),
    ]  # fmt: skip


def policies() -> list[str]:
    """Faults of policies of whole models: what is planted, into which policies, and which finding must turn red."""
    faults = load_policy_faults()
    rows = [
        [f.id, escape(f.source), escape(f.symptom), ", ".join(f"`{name}`" for name in dict.fromkeys(p.policy for p in f.plants)),
         ", ".join(dict.fromkeys(p.red for p in f.plants)), str(len(f.plants)), str(len(f.twins))]
        for f in faults
    ]  # fmt: skip
    number, lookalikes = sum(len(f.plants) for f in faults), sum(len(f.twins) for f in faults)
    return [
        "## Faults of policies", "",
        f"What `mpcheck policy` must see (`tests/faults/policies.yaml`): {len(faults)} faults in {number} plantings, and {lookalikes} sound "
        "lookalikes that must stay green. The session fails where one does not.", "",
        *table(["fault", "source", "symptom", "planted into", "turns red", "plantings", "lookalikes"], rows), "",
    ]  # fmt: skip


def clean(found: Stability) -> list[str]:
    """The clean runs."""
    red, minutes = found.red, sum(p.seconds for p in found.passes) / 60
    rows: dict[tuple[str, str], list[int]] = {}
    for p in found.passes:
        row = rows.setdefault((p.session if p.session != "precision" else "precision: " + p.variation, p.model), [0, 0, 0])
        row[0] += 1
        row[1] += p.verdicts.get("pass", 0) + p.verdicts.get("fail", 0)
        row[2] += len(p.red)
    body = [[escape(name), model, str(n), f"{cells:,}", str(bad)] for (name, model), (n, cells, bad) in rows.items()]
    seeds = len({(p.model, p.seed) for p in found.passes})
    return [
        "## Clean runs", "",
        f"`nox -s stability`: {found.judged:,} judged cells in {len(found.passes)} passes over {seeds} seeds (other structures, cotangents and "
        f"Monte Carlo draws), {found.sampled:,} of them of structures so large that blocks see a part, {len(red)} red; {minutes:.0f} min of one "
        "core. References are made as installed; the replays vary.", "",
        *table(["what varies", "model", "passes", "judged", "red"], body), "",
        *(f"- {escape(r)}" for r in red), "",
    ]  # fmt: skip


def page(reports: Path) -> str:
    """The page.

    Raises:
        InputError: a record that is missing or damaged.
    """
    rows = complete(read_rows(reports / "faults" / "matrix"))
    head = [
        "# What the suite catches and what it tolerates", "",
        f"Written by `nox -s faults -- --docs` on {escape(cpu_name())}; not by hand. The catalogue is `tests/faults/catalogue.yaml`, the patches "
        "are in `tests/faults/patches/`, benign twins in `tests/faults/twins/`.", "",
    ]  # fmt: skip
    parts: list[Callable[[], list[str]]] = [lambda: summary(rows), lambda: matrix(rows), each, cannot]
    parts += [lambda: curves(reports), lambda: side_by_side(reports), twins, policies]
    stability = reports / "stability.json"
    if stability.is_file():
        parts.append(lambda: clean(read_stability(stability)))
    return "\n".join([*head, *(line for part in parts for line in part())]).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=Path, default=Path("reports"))
    parser.add_argument("--out", type=Path, default=Path("docs/faults.md"))
    args = parser.parse_args()
    try:
        write_text(args.out, page(args.reports))
    except InputError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
