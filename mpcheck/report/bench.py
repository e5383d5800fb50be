"""A bench session's verdict table, for the terminal and as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mpcheck._console import Grid, Sheet
from mpcheck._names import COVERAGE
from mpcheck._text import markdown as escape
from mpcheck._text import markdown_table, number, seen_lines
from mpcheck.records.document import Records
from mpcheck.records.items import Item
from mpcheck.records.outcome import outcome
from mpcheck.records.record import Record
from mpcheck.report.findings import FindingsShown
from mpcheck.report.judged import judged_lines
from mpcheck.report.palette import style as style_of
from mpcheck.report.standing import standing, word
from mpcheck.sessions.registry import get

WIDTH = 118
SHORT = {"no-baseline": "new", "unsupported": "–", "removed": "gone"}
Row = tuple[str, str, str, str]
MARKS = {"slower": "SLOWER", "faster": "faster", "same": "=", "inconclusive": "?"}
BY_ITSELF = "its spread, and how many times as fast as the first format and backend"
GAINED = "±, gain"
UNGATED = "slower on a machine that may not gate"
SHOWN = ("fail", "removed", "inconclusive")
STARTS = ("first-call", "new-shape")


def rows(run: Records) -> dict[Row, dict[str, dict[str, Record]]]:
    """Findings by (system, subject, backend, format), then by work, then by check."""
    table: dict[Row, dict[str, dict[str, Record]]] = {}
    for f in (f for f in run.records if f.check != COVERAGE):
        table.setdefault((f.where, f.subject, f.backend, f.format), {}).setdefault(f.variant, {})[f.check] = f
    return table


def effect(finding: Record | None) -> tuple[str, str]:
    """Text and style of a latency verdict: the effect, and what was decided."""
    if finding is None:
        return "", "dim"
    value = finding.latency.effect_percent
    if value is None:
        return SHORT.get(finding.verdict, finding.verdict), style_of(finding.verdict)
    mark = MARKS.get(finding.latency.decision or "", "")
    style = style_of("faster") if mark == "faster" else style_of(finding.verdict)
    return f"{value:+.1f}% {mark}".rstrip(), style


def cost(findings: Sequence[Record]) -> tuple[str, str]:
    """Text and style of the cost verdicts of a row."""
    verdicts = [f.verdict for f in findings]
    if not verdicts:
        return "", "dim"
    if "fail" in verdicts:
        return "MORE", style_of("fail")
    for verdict in ("no-baseline", "unsupported"):
        if verdict in verdicts:
            return SHORT[verdict], style_of(verdict)
    return ("less", style_of("faster")) if any(f.reason for f in findings) else ("=", style_of("pass"))


def columns(run: Records) -> list[str]:
    """Pairs of work that share a column: a block's and the model's."""
    works = {f.variant for f in run.records}
    return [c for c in ("forward|energy", "forward+backward|energy+forces") if set(c.split("|")) & works]


def alone(run: Records) -> bool:
    """Whether a run has times, and nothing that they could be compared with."""
    latencies = [f.latency for f in run.records if f.check == "latency"]
    return any(found.median_ms is not None for found in latencies) and all(found.effect_percent is None for found in latencies)


def gains(run: Records) -> dict[str, float]:
    """How many times as fast a benchmark is as the same work of the same subject in the run's first format and backend, by its id."""
    first: dict[tuple[str, str, str], float] = {}
    found: dict[str, float] = {}
    for f in (f for f in run.records if f.check == "latency"):
        if f.latency.median_ms:
            found[f.id] = first.setdefault((f.where, f.subject, f.variant), f.latency.median_ms) / f.latency.median_ms
    return found


def _by_itself(finding: Record | None, gained: dict[str, float]) -> tuple[str, str]:
    """Text and style of a latency that is compared with nothing stored: its spread, and what it gains beside the run's first one."""
    if finding is None or finding.latency.median_ms is None:
        return effect(finding)
    spread = f"±{number(finding.latency.spread_percent, 2)}%" if finding.latency.spread_percent is not None else ""
    return f"{spread} {gained[finding.id]:.2f}×".strip(), ""


def entries(run: Records) -> list[tuple[Row, list[tuple[str, str]]]]:
    """One line a (system, subject, backend, format): milliseconds and verdict of each work, then the cost's.

    Where nothing is stored to compare with, spread and gain stand in the place of the verdict.
    """
    lines, single, gained = [], alone(run), gains(run)
    for row, works in rows(run).items():
        line: list[tuple[str, str]] = []
        for column in columns(run):
            own: dict[str, Record] = next((works[w] for w in column.split("|") if w in works), {})
            latency = own.get("latency")
            line += [(number(latency.latency.median_ms) if latency else "", ""), _by_itself(latency, gained) if single else effect(latency)]
        line.append(cost([fs["cost"] for fs in works.values() if "cost" in fs]))
        lines.append((row, line))
    return lines


def _widest(lines: Sequence[tuple[Row, list[tuple[str, str]]]], place: int) -> int:
    return max((len(line[place][0]) for _, line in lines), default=0)


def verdict_line(run: Records) -> str:
    """What the run says as a whole."""
    latency = [f for f in run.records if f.check == "latency"]
    decided = Counter(_decision(f) for f in latency)
    order = ("slower", UNGATED, "faster", "same", "inconclusive", "no-baseline", "removed", "fail", "unsupported")
    parts = ", ".join(f"{decided[d]} {d}" for d in order if decided[d])
    more = sum(f.check == "cost" and f.verdict == "fail" for f in run.records)
    said = "NOTHING GATED" if alone(run) and outcome(run) == "nothing judged" else word(run)
    text = f"{said}: latency {parts or 'not measured'}; cost {more} with more work than before"
    starts = Counter(_decision(f) for f in run.records if f.check in STARTS)
    told = ", ".join(f"{starts[d]} {d}" for d in order if starts[d])
    return f"{text}; first calls {told}" if told else text


def _decision(finding: Record) -> str:
    decision = finding.latency.decision or finding.verdict
    return UNGATED if decision == "slower" and finding.verdict != "fail" else decision


def _grid(run: Records) -> Grid:
    grid = Grid(f"latency (ms of one call, {BY_ITSELF if alone(run) else 'head against base'}) and cost")
    systems = len({f.where for f in run.records}) > 1
    for name in get(run.suite).columns[0 if systems else 1 :]:
        grid.column(name, wrap=False, most=40)
    lines = entries(run)
    for place, column in enumerate(columns(run)):  # names give way where the table is too wide, not verdicts
        grid.column(column.replace("|", "\n"), right=True, least=_widest(lines, 2 * place))
        grid.column(GAINED if alone(run) else "", wrap=False, least=_widest(lines, 2 * place + 1))
    grid.column("cost", least=_widest(lines, -1))
    for (system, *rest), line in lines:
        grid.row([*([system] if systems else []), *rest, *line])
    return grid


def render(run: Records, notes: Sequence[str] = (), color: bool = False) -> str:
    """The table, then what is red or unclear, then the verdict."""
    sheet = Sheet(WIDTH, color)
    sheet.grid(_grid(run))
    sheet.line()
    for verdict in SHOWN:
        own = [f for f in run.records if f.verdict == verdict]
        for f in sorted(own, key=lambda f: -abs(f.ratio or 1.0))[:6]:
            sheet.line((f"{verdict.upper() if verdict == 'fail' else verdict} {f.id}", style_of(verdict)))
            sheet.line(f"     {f.reason}")
        if len(own) > 6:
            sheet.line((f"  and {len(own) - 6} more {verdict}", "dim"))
    for reason, many in Counter(f.reason for f in run.records if f.verdict in ("unsupported", "no-baseline")).most_common(4):
        sheet.line((f"  {reason}: {many}", "dim"), cut=True)
    for note in (*notes, *judged_lines(run)):
        sheet.line((f"  {note}", "dim"))
    verdict = verdict_line(run)
    for limit in standing(run)[1:]:
        sheet.line((limit, style_of("inconclusive", strong=True)))
    sheet.line((verdict, style_of(verdict[:4] if verdict[:4] in ("FAIL", "PASS") else "inconclusive", strong=verdict.startswith("PASS"))), wrap=True)
    return sheet.text


def markdown(run: Records, notes: Sequence[str] = ()) -> str:
    """Verdict first, then what is red or unclear, the table, the environment."""
    lines = [f"# mpcheck {run.suite}: {verdict_line(run)}", ""]
    lines += [f"Model {escape(run.model.name)}, device {escape(run.environment.device_name)}, {run.seconds:.0f} s.", ""]
    lines += [f"- **{escape(line)}**" for line in standing(run)[1:]] + [f"- {escape(note)}" for note in notes] + [""]
    for verdict in SHOWN:
        own = [f for f in run.records if f.verdict == verdict]
        if own:
            lines += [f"## {verdict}", "", *markdown_table(("benchmark", "reason"), ((escape(f.id), escape(f.reason)) for f in own[:50]))]
    heads = [h for c in columns(run) for h in (f"{c.replace('|', ' / ')}, ms", GAINED if alone(run) else "against base")]
    cells = ([escape(x) for x in (*row, *(text for text, _ in line))] for row, line in entries(run))
    head = (*get(run.suite).columns, *heads, "cost")
    lines += ["## Latency and cost", "", *markdown_table(head, cells, "llll" + "rl" * len(columns(run)))]
    packages = ", ".join(f"{k} {v}" for k, v in run.environment.packages.items())
    lines += ["## Environment", "", f"- {escape(packages)}", f"- {escape(run.environment.platform)}"]
    return seen_lines("\n".join(lines)) + "\n"


class BenchShown(FindingsShown):
    """See :class:`mpcheck.report.showing.Showing`."""

    def terminal(self, document: Records, notes: Sequence[str] = (), color: bool = False, whole: bool = False) -> str:
        """Latencies and costs."""
        return render(document, notes, color)

    def markdown(self, document: Records, notes: Sequence[str] = ()) -> str:
        """What is red or unclear, latencies and costs."""
        return markdown(document, notes)

    def note(self, document: Records, items: Sequence[Item]) -> str:
        """How many benchmarks are slower, faster and the same."""
        return verdict_line(document).partition(": ")[2] if items else super().note(document, items)


SHOWING = BenchShown()
