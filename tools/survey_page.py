"""Write docs/gpu.md, what surveys of GPUs found beside what the thesis measured: ``python tools/survey_page.py``.

It reads ``baselines/cuda-*/survey.json``, which ``mpcheck baseline adopt`` puts there. Where there is none, the page says so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mpcheck._files.io import write_text
from mpcheck._names import SURVEY_FOUND, SURVEY_PART
from mpcheck._text import markdown as escape
from mpcheck._text import markdown_table
from mpcheck.records.detail import Latency, Profile, Sweep
from mpcheck.records.document import Records, read_records

ROOT = Path(__file__).parents[1]
THESIS = "RTX 2080 Ti, torch 2.8.0, cuEquivariance 0.4.0, float64 unless said"
SWEEP = {
    (1, 1): (85.699, 77.871), (4, 1): (89.485, 78.651), (8, 1): (90.484, 81.194), (32, 1): (91.135, 82.184),
    (1, 2): (292.600, 96.096), (4, 2): (292.914, 100.341), (8, 2): (293.133, 101.692), (32, 2): (292.903, 100.448),
    (1, 3): (379.503, 127.033), (4, 3): (378.025, 131.693), (8, 3): (377.639, 126.088), (32, 3): (377.401, 130.965),
}  # fmt: skip
"""Table B.3: milliseconds of e3nn and cuEquivariance by (batch, l_max); 16x0e + 16x1o, carbon."""
MIXED = {"float64": 495.05, "float32": 164.71, "linear-fp16": 158.27, "linear-bf16": 151.65}
"""Table 4.2: milliseconds of an inference of cuEquivariance on 8 x 8 x 8 cells of diamond by policy."""
SHARE = 13.8 / 31.9
"""Table 4.1: share of a forward pass of 31.9 ms in which kernels run."""


def ms(value: object) -> str:
    """Milliseconds in three digits; a dash where there are none."""
    return f"{value:.3g}" if isinstance(value, (int, float)) else "–"


def ratio(a: object, b: object) -> str:
    """How many times faster the second is."""
    return f"{a / b:.2f}" if isinstance(a, (int, float)) and isinstance(b, (int, float)) and b else "–"


def details(run: Records, kind: type) -> Iterator[tuple[object, object]]:
    """What was found with figures of a kind: (record, figures)."""
    return ((record, record.detail) for record in run.of(SURVEY_FOUND) if isinstance(record.detail, kind))


def sweeps(run: Records) -> dict[tuple[int, int], dict[str, float]]:
    """Median milliseconds by (batch, l_max), then by backend."""
    found: dict[tuple[int, int], dict[str, float]] = {}
    for record, point in details(run, Sweep):
        if point.batch is not None and point.median_ms is not None:  # type: ignore[attr-defined]
            found.setdefault((int(point.batch), int(point.l_max)), {})[record.backend] = point.median_ms  # type: ignore[attr-defined]
    return found


def sweep_table(runs: Mapping[str, Records]) -> list[str]:
    """Table B.3 again."""
    head = [
        "batch",
        "l_max",
        "e3nn ms, thesis",
        "cueq ms, thesis",
        "gain",
        *(f"{what}, {name}" for name in runs for what in ("e3nn ms", "cueq ms", "gain")),
    ]
    rows = []
    for (batch, order), (own, cueq) in SWEEP.items():
        row = [str(batch), str(order), ms(own), ms(cueq), ratio(own, cueq)]
        for run in runs.values():
            point = sweeps(run).get((batch, order), {})
            row += [ms(point.get("e3nn")), ms(point.get("cueq")), ratio(point.get("e3nn"), point.get("cueq"))]
        rows.append(row)
    return markdown_table(head, rows, "r" * len(head))


def policies(run: Records) -> dict[str, float]:
    """Seconds of a call by policy, of cuEquivariance where it was timed."""
    found: dict[str, float] = {}
    for record in run.of(SURVEY_FOUND):
        seconds = record.figures.get("median_ms")
        if record.subject not in MIXED or not record.variant.startswith("mixed/") or not isinstance(seconds, (int, float)):
            continue
        if record.backend == "cueq" or record.subject not in found:
            found[record.subject] = float(seconds)
    return found


def mixed_table(runs: Mapping[str, Records]) -> list[str]:
    """Table 4.2 again: gains on float64."""
    head = ["policy", "ms, thesis", "gain", *(f"{what}, {name}" for name in runs for what in ("ms", "gain"))]
    rows = []
    for name, own in MIXED.items():
        row = [name, ms(own), ratio(MIXED["float64"], own)]
        for run in runs.values():
            found = policies(run)
            row += [ms(found.get(name)), ratio(found.get("float64"), found.get(name))]
        rows.append(row)
    return markdown_table(head, rows, "l" + "r" * (len(head) - 1))


def device(name: str, run: Records) -> list[str]:
    """How the parts of one survey came out, and what is to be known of the device."""
    parts = [(r.subject, r.verdict, f"{r.seconds:.0f}", r.reason) for r in run.of(SURVEY_PART)]
    lines = [f"## {escape(name)}", "", f"{escape(run.environment.device_name)}, {escape(run.environment.date[:10])}, {run.seconds:.0f} s.", ""]
    lines += markdown_table(("part", "verdict", "seconds", "what it came to"), [[escape(str(x), 200) for x in row] for row in parts], "llrl")
    sums = [(r.format, r.verdict, r.reason) for r in run.of(SURVEY_FOUND) if r.subject in ("sums", "reduced reductions")]
    lines += ["How products add up:", "", *markdown_table(("format", "verdict", "found"), [[escape(x) for x in row] for row in sums])] if sums else []
    maps = [d for _, d in details(run, Profile) if d.end_to_end_ms is not None]  # type: ignore[attr-defined]
    for one in maps[:4]:
        share = ratio(one.total_device_ms, one.end_to_end_ms)  # type: ignore[attr-defined]
        lines += [f"- a call of {ms(one.end_to_end_ms)} ms has kernels of {ms(one.total_device_ms)} ms ({share}): {one.bound}"]  # type: ignore[attr-defined]
    agreed = [d.agreement for _, d in details(run, Latency) if d.agreement]  # type: ignore[attr-defined]
    lines += [f"- clocks of the device against the profiler's: {escape(text)}" for text in list(dict.fromkeys(agreed))[:5]]
    red = [r for r in run.records if r.red]
    lines += ["", *(f"- **{escape(r.verdict)}** {escape(r.variant or r.subject)}: {escape(r.reason)}" for r in red[:40])]
    return [*lines, ""]


def page(runs: Mapping[str, Records]) -> str:
    """The page."""
    lines = [
        "# What GPUs do", "",
        "Made of the records of [surveys](survey.md) by `python tools/survey_page.py`; the records lie beside the baselines of their device.", "",
    ]  # fmt: skip
    if not runs:
        lines += [
            "**No survey of a GPU has been recorded yet.** What mpcheck does on CUDA has run on stand-ins for it only (`tests/fakes/`); the",
            "columns below are the thesis' alone, and wait for the first device.", "",
        ]  # fmt: skip
    lines += [
        f"The thesis' figures: {THESIS}.",
        "",
        "## e3nn against cuEquivariance",
        "",
        "Thesis, Table B.3: whole model, 16x0e + 16x1o, carbon.",
        "",
    ]
    lines += sweep_table(runs)
    lines += ["## Mixed precision", "", "Thesis, Table 4.2: cuEquivariance, diamond, 8 x 8 x 8 cells; in a survey 3 x 3 x 3 cells.", ""]
    lines += mixed_table(runs)
    lines += [f"Thesis, Table 4.1: kernels run in {100 * SHARE:.0f} % of a forward pass, which is launch-bound.", ""]
    for name, run in runs.items():
        lines += device(name, run)
    return "\n".join(lines).rstrip() + "\n"


def recorded(directory: Path) -> dict[str, Records]:
    """Surveys of GPUs that lie beside baselines, by device."""
    return {path.parent.name: read_records(path) for path in sorted(directory.glob("cuda-*/survey.json"))}


def main(words: Sequence[str]) -> None:
    write_text(ROOT / "docs" / "gpu.md", page(recorded(Path(words[0]) if words else ROOT / "baselines")))


if __name__ == "__main__":
    main(sys.argv[1:])
