"""The symmetry and audit sessions' findings: terminal table and Markdown."""

from __future__ import annotations

import io
from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mpcheck.findings import Finding, Findings
from mpcheck.report.markdown import escape
from mpcheck.report.references import reference_lines
from mpcheck.report.standing import standing, word

WIDTH = 100
STYLES = {
    "pass": "green", "fail": "bold red", "degraded": "yellow", "unsupported": "dim", "indistinguishable": "dim", "inconclusive": "yellow",
    "known-fault": "magenta", "no-baseline": "yellow", "removed": "yellow",
}  # fmt: skip
_WORSE = ("fail", "degraded", "known-fault", "removed", "inconclusive", "no-baseline", "pass", "indistinguishable", "unsupported")
_SHORT = {"unsupported": "–", "indistinguishable": "same", "inconclusive": "?", "known-fault": "known", "no-baseline": "new"}


def worst_of(findings: list[Finding]) -> Finding:
    """The finding that a reader must see first: the worst verdict, then the largest share of its limit."""

    def share(f: Finding) -> float:
        return (f.ratio or 0.0) / f.limit if f.limit else (f.ratio or 0.0)

    return min(findings, key=lambda f: (_WORSE.index(f.verdict), -share(f)))


def entry(findings: list[Finding]) -> tuple[str, str]:
    """Text and verdict of one field of a table."""
    found = worst_of(findings)
    number = "" if found.ratio is None else (f"{found.ratio:.2f}" if 0.005 <= found.ratio < 99.5 or found.ratio == 0 else f"{found.ratio:.0e}")
    if found.verdict == "fail":
        return f"FAIL {number}".strip(), found.verdict
    return _SHORT.get(found.verdict, number or "ok"), found.verdict


def tables(run: Findings) -> dict[str, tuple[list[str], list[tuple[str, str, list[tuple[str, str] | None]]]]]:
    """Per check: its columns (formats, or variants where there are no formats) and rows (subject, backend, entries)."""
    found = {}
    for check in dict.fromkeys(f.check for f in run.findings):
        own = [f for f in run.findings if f.check == check]

        def column(f: Finding, formats: bool = any(f.format for f in own)) -> str:
            return f.format if formats else f.variant

        columns = list(dict.fromkeys(column(f) for f in own))
        rows: dict[tuple[str, str], list[Finding]] = {}
        for f in own:
            rows.setdefault((f.subject, f.backend), []).append(f)
        found[check] = (
            columns,
            [
                (subject, backend, [entry(part) if (part := [f for f in fs if column(f) == c]) else None for c in columns])
                for (subject, backend), fs in rows.items()
            ],
        )
    return found


def counts(run: Findings) -> dict[str, int]:
    """Findings by verdict."""
    tally = Counter(f.verdict for f in run.findings)
    return {v: tally[v] for v in STYLES if tally[v]}  # type: ignore[index]  # the keys of STYLES are the outcomes


def render(run: Findings, color: bool = False) -> str:
    """The tables, 100 columns at most, then what is not a pass."""
    stream = io.StringIO()
    console = Console(file=stream, width=WIDTH, force_terminal=color, color_system="standard" if color else None, highlight=False)
    for check, (columns, rows) in tables(run).items():
        table = Table(box=None, pad_edge=False, padding=(0, 1), title=check, title_justify="left")
        table.add_column("subject", no_wrap=True, overflow="ellipsis", max_width=36)
        table.add_column("backend", no_wrap=True)
        for name in columns:
            table.add_column(name, justify="right", overflow="fold")
        for subject, backend, entries in rows:
            table.add_row(subject, backend, *(Text("", "dim") if e is None else Text(e[0], STYLES[e[1]]) for e in entries))
        console.print()
        console.print(table)
    console.print()
    summary = Text("findings: ")
    for verdict, number in counts(run).items():
        summary.append(f"{number} {verdict}  ", STYLES[verdict])
    console.print(summary)
    for verdict in ("fail", "degraded", "known-fault", "inconclusive"):
        for f in [f for f in run.findings if f.verdict == verdict][:6]:
            console.print(Text(f"{verdict.upper() if verdict == 'fail' else verdict} {f.id}", STYLES[verdict]), soft_wrap=True)
            console.print(f"     {f.reason}" + (f"; worst: {f.worst}" if f.worst else ""), soft_wrap=True, markup=False)
    for reason, number in Counter(f.reason for f in run.findings if f.verdict == "unsupported").most_common(4):
        console.print(Text(f"  unsupported({reason}): {number}", "dim"), overflow="ellipsis", no_wrap=True)
    for line in standing(run):
        console.print(Text(line, "bold"), soft_wrap=True)
    for line in reference_lines(run.systems):
        console.print(line, soft_wrap=True, markup=False)
    return stream.getvalue()


def markdown(run: Findings) -> str:
    """Verdict first, then failures, a table per check, environment."""
    tally = counts(run)
    _, *limits = standing(run)
    lines = [f"# mpcheck {run.suite}: {word(run)}", "", *(f"- **{escape(line)}**" for line in limits), *([""] if limits else [])]
    lines += [f"Model {escape(run.model['name'])}, device {escape(run.environment['device_name'])}, {run.seconds:.0f} s."]
    lines += ["Findings: " + ", ".join(f"{n} {v}" for v, n in tally.items()) + ".", ""]
    for verdict_ in ("fail", "degraded", "known-fault", "inconclusive"):
        own = [f for f in run.findings if f.verdict == verdict_]
        if own:
            lines += [f"## {verdict_}", "", "| finding | reason | worst |", "|---|---|---|"]
            lines += [f"| {escape(f.id)} | {escape(f.reason)} | {escape(f.worst)} |" for f in own[:50]] + [""]
    for check, (columns, rows) in tables(run).items():
        lines += [f"## {check}", "", "| subject | backend | " + " | ".join(escape(c) for c in columns) + " |", "|---|---|" + "---:|" * len(columns)]
        for subject, backend, entries in rows:
            cells = " | ".join("" if e is None else (f"**{e[0]}**" if e[1] == "fail" else e[0]) for e in entries)
            lines.append(f"| {escape(subject)} | {escape(backend)} | {cells} |")
        lines.append("")
    packages = ", ".join(f"{k} {v}" for k, v in run.environment["packages"].items())
    lines += ["## Environment", "", f"- {escape(packages)}", f"- {escape(run.environment['platform'])}, {run.environment['threads']} threads"]
    lines += [f"- {escape(line)}" for line in reference_lines(run.systems)]
    return "\n".join(lines) + "\n"
