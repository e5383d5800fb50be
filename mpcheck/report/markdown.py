"""The Markdown report: for a job summary, a comment, or a file beside the records."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._names import GOLDEN, PRECISION
from mpcheck._text import fence, markdown_table, seen_lines
from mpcheck._text import markdown as escape
from mpcheck.records.document import Records
from mpcheck.records.items import item_of
from mpcheck.records.record import Record, first_changed
from mpcheck.records.reproduce import repeated_where, reproduce
from mpcheck.report import summary
from mpcheck.report.figure import figure
from mpcheck.report.judged import judged_lines, subject_lines
from mpcheck.report.references import reference_lines
from mpcheck.report.standing import standing, word
from mpcheck.sessions.registry import get


def render(run: Records, notes: Sequence[str] = ()) -> str:
    """Verdict first, then failures, the table, ratios per format, environment."""
    counts = summary.counts(run)
    _, *limits = standing(run)
    lines = [f"# mpcheck {run.suite}: {word(run)}", "", *(f"- **{escape(line)}**" for line in limits), *([""] if limits else [])]
    lines += [*(f"- {escape(line)}" for line in subject_lines(run)), ""]
    lines += [f"Device {escape(run.environment.device_name)}, {run.seconds:.0f} s."]
    lines += [f"- {escape(note)}" for note in notes]
    lines += ["Cells: " + ", ".join(f"{n} {v}" for v, n in counts.items()) + ".", ""]
    failed = summary.failures(run)
    if failed:
        where = repeated_where(run)
        lines += [
            "## Failures",
            "",
            *markdown_table(("cell", "error ÷ allowed", "reason"), [(escape(c.id), figure(c.share), escape(c.reason)) for c in failed[:50]], "lrl"),
        ]
        lines += [f"{len(failed) - 50} more in the records.", ""] if len(failed) > 50 else []
        lines += [f"Repeat the first one{where and f', {escape(where)}'}:", "", fence(reproduce(run, item_of(PRECISION, failed[0]))), ""]
    formats, rows = summary.table(run)
    lines += ["## Error ÷ allowed error", "", "The worst of each block, 1 is the limit; a dash means that nothing ran.", ""]
    cells = ([*map(escape, names), *(f"**{e.text}**" if e.failed else e.text for e in entries)] for *names, entries in rows)
    lines += markdown_table((*get(run.suite).columns, *map(escape, formats)), cells, "lll" + "r" * len(formats))
    ratios = [(escape(fmt), *(f"{x:.3f}" for x in three)) for fmt in formats if (three := summary.ratio_range(run, fmt))]
    lines += [
        "## Detail: rounding ratios by format",
        "",
        "RMS error ÷ noise scale of all tensors, not error ÷ allowed: limits differ from tensor to tensor.",
        "",
        *markdown_table(("format", "median", "95 %", "largest"), ratios, "lrrr"),
    ]
    if golden := run.of(GOLDEN):
        bad = [record for record in golden if record.red]
        lines += ["## Golden float64", "", f"{len(golden)} tensors compared, {len(bad)} differ{began(golden)}.", ""]
        lines += [*(f"- {escape(record.system)} {escape(record.tensor)}: {escape(record.reason)}" for record in bad[:20]), *([""] if bad else [])]
    if twins := summary.small_twins(run):
        lines += [f"- {escape(twins)}", ""]
    reasons = summary.unsupported(run)
    if reasons:
        lines += ["## Unsupported", "", *(f"- {number} cells: {escape(reason)}" for reason, number in reasons.items()), ""]
    packages = ", ".join(f"{k} {v}" for k, v in run.environment.packages.items())
    lines += [
        "## Environment",
        "",
        f"- {escape(packages)}",
        f"- {escape(run.environment.platform)}, {escape(run.environment.threads)} threads",
    ]
    lines += [f"- model digest {escape(run.model.digest[:16])}, stored in {escape(run.model.stored_dtype)}"]
    lines += [f"- {escape(line)}" for line in (*judged_lines(run), *reference_lines(run.systems))]
    return seen_lines("\n".join(lines)) + "\n"


def began(golden: Sequence[Record]) -> str:
    """``, first in BLOCK`` where an output changed."""
    block = first_changed(golden)
    return f", first in the output of {escape(block)}" if block else ""
