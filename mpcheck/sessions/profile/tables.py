"""The profile session's tables, from its findings: on a terminal, and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._console import Grid, Sheet
from mpcheck._names import LATENCY, PROFILE, SWEEP
from mpcheck._text import markdown as escape
from mpcheck._text import markdown_table, seen_lines
from mpcheck.bench.profile.sweep import SYSTEM, WORK
from mpcheck.records.document import Records
from mpcheck.records.record import Record
from mpcheck.report.findings import FindingsShown
from mpcheck.sessions.profile.cost_rows import HEAD, cost_cells

WIDTH = 100
SMALL = 0.01  # share of the end-to-end time below which a block is not worth a line on a terminal


def number(finding: Record, name: str) -> float:
    """A figure of a finding; 0 where it has none."""
    value = finding.figures.get(name)
    return float(value) if isinstance(value, (int, float)) else 0.0


def maps(run: Records) -> dict[tuple[str, str, str, str], list[Record]]:
    """The blocks of every map, by system, format, work and backend."""
    blocks: dict[tuple[str, str, str, str], list[Record]] = {}
    for f in run.records:
        if f.check == PROFILE and f.verdict == "pass":
            blocks.setdefault((f.where, f.format, f.variant, f.backend), []).append(f)
    return blocks


def of_check(run: Records, check: str) -> list[Record]:
    """Measured findings of one check."""
    return [f for f in run.records if f.check == check and f.verdict == "pass"]


def headline(rows: list[Record]) -> str:
    """One line on a whole map."""
    whole = rows[0]
    share = number(whole, "total_device_ms") / number(whole, "end_to_end_ms")
    return (
        f"{number(whole, 'end_to_end_ms'):.2f} ms a call while profiled ({number(whole, 'unprofiled_ms'):.2f} ms without, factor "
        f"{number(whole, 'profiling_factor'):.2f}; {number(whole, 'kept_calls'):.0f} of {number(whole, 'made_calls'):.0f} calls kept), "
        f"{100 * share:.0f} % of it in {number(whole, 'total_launches'):.0f} kernels: {whole.figures['bound']}"
    )


def _cells(f: Record, indent: str) -> list[str]:
    def ms(name: str) -> str:
        return f"{number(f, name):.3f}"

    def whole(name: str) -> str:
        return f"{number(f, name):.0f}"

    return [
        indent * int(number(f, "depth")) + f.subject, str(f.figures["dtype"]), whole("calls"), ms("host_ms"), ms("device_ms"), whole("launches"),
        ms("backward_host_ms"), ms("backward_device_ms"), whole("backward_launches"), ms("total_host_ms"), f"{100 * number(f, 'share'):.1f} %",
        str(f.figures["bound"]),
    ]  # fmt: skip


COLUMNS = (
    "block", "dtype", "calls", "forward ms", "kernels ms", "launches", "backward ms", "kernels ms", "launches", "total ms", "share", "bound",
)  # fmt: skip


def group_rows(rows: list[Record]) -> list[tuple[str, float, float, float]]:
    """Per part of the model: ms on the host, of kernels, and the share of the end-to-end time."""
    groups: dict[str, list[float]] = {}
    for f in rows:
        sums = groups.setdefault(str(f.figures["group"]), [0.0, 0.0, 0.0])
        sums[0] += number(f, "host_ms") + number(f, "backward_host_ms")
        sums[1] += number(f, "device_ms") + number(f, "backward_device_ms")
        sums[2] += number(f, "share")
    return [(group, *sums) for group, sums in groups.items()]  # type: ignore[misc]  # three sums each


def render(run: Records, color: bool = False) -> str:
    """For a terminal, 100 columns at most: blocks of 1 % or more, latencies, the sweep, and what could not be measured."""
    sheet = Sheet(WIDTH, color)
    for (system, fmt, work, backend), rows in maps(run).items():
        sheet.line()
        sheet.line((f"{system} {fmt} {work} {backend}: {headline(rows)}", "bold"), wrap=True)
        sheet.grid(_map_grid(rows))
    for title, head, cells in (("call times", TIMED, latency_cells(run)), ("speed-up on e3nn", SWEPT, sweep_cells(run))):
        if cells:
            grid = Grid(title)
            for name in head:
                grid.column(name, right=name not in ("system", "work", "backend"))
            for row in cells:
                grid.row(row)
            sheet.line()
            sheet.grid(grid)
    for reason, names in _missing(run).items():
        sheet.line((f"  unsupported({reason}): {', '.join(names)}", "dim"))
    return sheet.text


def _map_grid(rows: list[Record]) -> Grid:
    grid = Grid()
    grid.column("block", wrap=False)
    for name in ("fwd ms", "bwd ms", "kernels ms", "launches", "share", "bound"):
        grid.column(name, right=True, wrap=False)
    large = sorted((f for f in rows if number(f, "share") >= SMALL), key=lambda f: -number(f, "share"))
    for f in large:
        kernels = number(f, "device_ms") + number(f, "backward_device_ms")
        launches = number(f, "launches") + number(f, "backward_launches")
        times = (f"{number(f, 'host_ms'):.2f}", f"{number(f, 'backward_host_ms'):.2f}", f"{kernels:.2f}", f"{launches:.0f}")
        grid.row([f.subject, *times, f"{100 * number(f, 'share'):.1f} %", str(f.figures["bound"])])
    rest = [f for f in rows if f not in large]
    grid.row([f"({len(rest)} smaller)", "", "", "", "", f"{100 * sum(number(f, 'share') for f in rest):.1f} %", ""])
    return grid


TIMED = ("work", "backend", "median ms", "quartiles ms", "5-95 % ms", "rounds")
SWEPT = ("l_max", "batch", "atoms", "edges", "backend", "median ms", "quartiles ms", "rounds", "speed-up", "95 % interval")


def latency_cells(run: Records) -> list[list[str]]:
    """The latency table's lines."""

    def span(f: Record, a: str, b: str) -> str:
        return f"{number(f, a):.2f} – {number(f, b):.2f}"

    return [
        [f"{f.variant} {f.format}", f.backend, f"{number(f, 'q50_ms'):.2f}", span(f, "q25_ms", "q75_ms"), span(f, "q05_ms", "q95_ms"),
         f"{number(f, 'rounds'):.0f}"]
        for f in of_check(run, LATENCY)
    ]  # fmt: skip


def sweep_cells(run: Records) -> list[list[str]]:
    """The sweep table's lines."""
    lines = []
    for f in of_check(run, SWEEP):
        gain = f"{number(f, 'speedup'):.2f}" if "speedup" in f.figures else ""
        interval = f"{number(f, 'speedup_low'):.2f} – {number(f, 'speedup_high'):.2f}" if gain else ""
        figures = [f"{number(f, n):.0f}" for n in ("l_max", "batch", "atoms", "edges")]
        quartiles = f"{number(f, 'q25_ms'):.1f} – {number(f, 'q75_ms'):.1f}"
        lines.append([*figures, f.backend, f"{number(f, 'median_ms'):.2f}", quartiles, f"{number(f, 'rounds'):.0f}", gain, interval])
    return lines


def _missing(run: Records) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    for f in run.records:
        if f.verdict == "unsupported":
            ids.setdefault(f.reason, []).append(f.id)
    return ids


def _table(head: tuple[str, ...], lines: list[list[str]], left: int = 1) -> list[str]:
    return markdown_table(head, ([escape(cell) for cell in line] for line in lines), "l" * left + "r" * (len(head) - left))


def markdown(run: Records) -> str:
    """The whole map: every block of every backend and work, parts of the model, latencies, the sweep, environment."""
    cpu = not str(run.environment.device).startswith("cuda")
    kernels = "operations that compute or move data" if cpu else "CUDA kernels"
    lines = ["# mpcheck profile", "", f"Model {escape(run.model.name)}, device {escape(run.environment.device_name)}, {run.seconds:.0f} s."]
    lines += [f"Times are own times (without inner blocks) per call of the model; kernels are {kernels}.", ""]
    for (system, fmt, work, backend), rows in maps(run).items():
        lines += [f"## {escape(work)}, {escape(backend)}, {escape(fmt)}, {escape(system)}", "", escape(headline(rows)) + ".", ""]
        lines += _table(
            ("part", "host ms", "kernels ms", "share"), [[g, f"{h:.2f}", f"{d:.2f}", f"{100 * s:.1f} %"] for g, h, d, s in group_rows(rows)]
        )
        lines += _table(COLUMNS, [_cells(f, "· ") for f in rows], 2)
    if latencies := latency_cells(run):
        lines += ["## Call times", "", "Backends took turns in one process.", "", *_table(TIMED, latencies, 2)]
    if costs := cost_cells(run):
        lines += [
            "## Model of costs",
            "",
            "Leading terms of each block's forward call beside what was counted; `as evaluated` counts what upstream's code does.",
            "",
        ]
        lines += _table(HEAD, costs, 3)
    if swept := sweep_cells(run):
        lines += [
            "## e3nn against the other backends",
            "",
            f"{WORK} of a model of 16x0e + 16x1o, two layers, correlation 3, cut-off 6 Å, on {SYSTEM}.",
            "",
        ]
        lines += ["Backends took turns in one process, which is one launch: the interval is that of rounds.", "", *_table(SWEPT, swept, 0)]
    if missing := _missing(run):
        lines += ["## Not measured", "", *(f"- {escape(reason)}: {escape(', '.join(names))}" for reason, names in missing.items()), ""]
    packages = ", ".join(f"{k} {v}" for k, v in run.environment.packages.items())
    lines += ["## Environment", "", f"- {escape(packages)}", f"- {escape(run.environment.platform)}, {escape(run.environment.threads)} threads"]
    return seen_lines("\n".join(lines)) + "\n"


class ProfileShown(FindingsShown):
    """See :class:`mpcheck.report.showing.Showing`."""

    def terminal(self, document: Records, notes: Sequence[str] = (), color: bool = False, whole: bool = False) -> str:
        """Blocks of 1 % or more."""
        return render(document, color)

    def markdown(self, document: Records, notes: Sequence[str] = ()) -> str:
        """Every block."""
        return markdown(document)


SHOWING = ProfileShown()
