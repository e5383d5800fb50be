"""Made-up results of a made-up model, small or as large as one likes, for whatever reads results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from mpcheck.records.document import Records, write_records
from mpcheck.records.read import Results
from mpcheck.records.record import Record
from mpcheck.records.tensors import Quantity, Worst
from mpcheck.report.page.as_html import html_page
from mpcheck.report.page.view import page_of
from mpcheck.sessions.registry import sessions
from tests.unit.accounts import check_record, golden_record, precision_record
from tests.unit.accounts import fields as whole

BLOCKS = ("radial_embedding", "interactions.0", "interactions.0.conv_tp", "interactions.0.linear", "products.0.symmetric_contractions", "readouts.0")
FORMATS = ("float64", "float32", "tf32", "bfloat16", "float16")
BACKENDS = ("e3nn", "cueq")
CULPRIT = "interactions.0.linear"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "[click](javascript:alert(1)) https://evil.example/a www.evil.example",
    "| a | b |\n|---|---|\n# heading",
    "\x1b[31mred\x1b[0m \x00 NUL",
    "abc\u202egnp.exe\u2066\u200f",
    "n" * 10_000,
    "' onmouseover='alert(1)' x=\"",
    "@everyone #1 GH-2 owner/repo#3 a@b.example",
    "`` code ``` fence ````",
    "&lt;b&gt; &amp; &#64;user $x$ ~~gone~~ :warning:",
    "{{ 7 * 7 }} {% raw %} ${{ secrets.TOKEN }}",
    "\ud800 half a pair, \U000e0041 tag, \u2028 line",
    "]]></style></title><!-- --><svg onload=alert(1)>",
)
"""Texts that a careless report acts on instead of showing them."""


def html_of(results: Results, **others: Any) -> str:
    """The page without its pictures."""
    return html_page(page_of(results, **others), results, [])


def head(**changes: Any) -> dict[str, Any]:
    """What every session's records begin with."""
    fields: dict[str, Any] = {
        "schema_version": 3, "mpcheck": "0.1.0", "seconds": 12.0,
        "environment": {
            "python": "3.12.1", "platform": "Linux", "device": "cpu", "device_name": "Made Up", "device_slug": "cpu-made-up-avx2", "threads": 1,
            "packages": {"torch": "2.13.0", "e3nn": "0.4.4"}, "flags": {"default_dtype": "float32"}, "commit": "abcdef123456",
            "date": "2026-03-01T12:00:00+00:00",
        },
        "model": {"name": "builtin:hco", "digest": "c0ffee" * 10, "stored_dtype": "float64"},
        "systems": [{"name": "builtin:water", "atoms": 33, "frames": 1, "edges": 1214, "digest": "d1ce" * 16}],
        "options": {"model": "builtin:hco", "device": "cpu", "seed": 0},
    }  # fmt: skip
    return fields | changes


def quantity(rms: float | None = 0.7, limit: float = 1.0, **changes: Any) -> Quantity:
    """A tensor of which 1e-3 is allowed, so that the error is the ratio's."""
    error = None if rms is None else 1e-3 * rms
    fields: dict[str, Any] = {
        "name": "out.0", "shape": [4, 8], "max_abs": error, "max_rel": error, "stabiliser": 1e-3, "rms": rms, "rms_limit": limit, "max": rms,
        "max_limit": 12.0, "bias": 0.0, "signed_bias": 0.0, "bias_limit": 0.2, "signed_bias_limit": 0.2, "nonfinite": 0, "out_of_range": 0,
        "allowed_abs": 1e-3, "allowed_rel": 1e-3, "worst": Worst(place="atom 3, 8x0e, channel 1", value=1.0, expected=1.001, allowed=1e-3),
        "failures": [f"rms ratio {rms:.3g} > {limit:.3g}"] if rms is not None and rms > limit else [],
    }  # fmt: skip
    return Quantity(**(fields | changes))


def cell(subject: str = CULPRIT, rms: float | None = 0.7, **changes: Any) -> Record:
    """A cell of one tensor; it fails where the ratio is beyond its limit."""
    told = quantity(rms)
    fields: dict[str, Any] = {
        "subject": subject, "role": "linear", "block": "leaf" if subject.count(".") > 1 else "composite", "backend": "e3nn", "format": "bfloat16",
        "accumulation": "wide", "variant": "forward", "system": "builtin:water", "verdict": "fail" if told.failures else "pass",
        "reason": "; ".join(told.failures), "quantities": [told],
    }  # fmt: skip
    return precision_record(**(fields | changes))


def finding(check: str = "equivariance", subject: str = CULPRIT, verdict: str = "pass", **changes: Any) -> Record:
    """A conclusion of any other session."""
    return check_record(**({"check": check, "subject": subject, "backend": "e3nn", "format": "float32", "verdict": verdict} | changes))


def run(cells: Sequence[Record], golden: Iterable[dict[str, Any]] = (), **changes: Any) -> Records:
    """Records of the precision session; golden values by their names."""
    return findings("precision", [*cells, *(golden_record(**row) for row in golden)], **changes)


def findings(suite: str, rows: Sequence[Record], **changes: Any) -> Records:
    """Records of another session."""
    return Records(**(head(suite=suite, **whole(rows)) | changes))


def results(*documents: Records) -> Results:
    """As :func:`mpcheck.records.read.read_results` gives them."""
    by_session = {d.suite: d for d in documents}
    names = [name for name in sessions() if name in by_session]
    return Results({name: by_session[name] for name in names}, [Path(f"reports/{name}.json") for name in names])


def store(directory: Path, results: Results) -> Path:
    """Records as sessions write them."""
    for session, document in results.documents.items():
        write_records(directory / f"{session}.json", document)
    return directory


def grid(
    ratio: Callable[[str, str, str], float | None] = lambda block, backend, fmt: 0.7, blocks: Iterable[str] = BLOCKS,
    systems: Sequence[str] = ("builtin:water",),
) -> list[Record]:  # fmt: skip
    """A cell for every block, backend, format, direction and system; ``ratio`` says what each block, backend and format gets."""
    return [
        cell(block, ratio(block, backend, fmt), backend=backend, format=fmt, variant=direction, system=system)
        for block in blocks for backend in BACKENDS for fmt in FORMATS for direction in ("forward", "backward") for system in systems
    ]  # fmt: skip


def latency(subject: str, effect: float, **changes: Any) -> Record:
    """A benchmark's verdict: slower beyond 3 %."""
    decision = "slower" if effect > 3 else "faster" if effect < -3 else "same"
    metrics = {
        "decision": decision, "effect_percent": effect, "low_percent": effect - 1, "high_percent": effect + 1, "median_ms": 1 + effect / 100,
        "base_median_ms": 1.0,
    }  # fmt: skip
    slower = decision == "slower"
    fields: dict[str, Any] = {"system": "builtin:water*1", "variant": "forward", "ratio": 1 + effect / 100, "limit": 1.03, "figures": metrics}
    fields |= {"verdict": "fail" if slower else "pass", "reason": f"{effect:.1f} % slower than the baseline" if slower else ""}
    return finding("latency", subject, **(fields | changes))


def green() -> Results:
    """All sessions; nothing is red, something of everything else."""
    extra = [
        finding("conversion", "model", "unsupported", reason="upstream cannot convert it"),
        finding("physics", "model", "known-fault", reason="stress on a slab"),
        finding("engagement", "readouts.0", "degraded", reason="the kernel did not run", tolerated="--allow-degraded e3nn"),
    ]
    return results(
        run([*grid(), cell("readouts.0", verdict="unsupported", reason="range", system="builtin:dense", quantities=[])]),
        findings("symmetry", [finding(), extra[0]]), findings("audit", [finding("dtypes"), *extra[1:]]),
        findings("bench", [latency(CULPRIT, 0.5), latency("model", 1.0, verdict="inconclusive")]),
    )  # fmt: skip


def red() -> Results:
    """One block is wrong in bfloat16 and float16, what contains it with it; one benchmark is slower."""

    def ratio(block: str, backend: str, fmt: str) -> float:
        wrong = fmt in ("bfloat16", "float16") and backend == "e3nn"
        return {CULPRIT: 3.2, "interactions.0": 1.6}.get(block, 0.7) if wrong else 0.7

    return results(run(grid(ratio)), findings("symmetry", [finding()]), findings("bench", [latency("model", 12.0), latency("readouts.0", -9.0)]))


def many(cells: int, per_block: int = 400) -> Results:
    """So many cells of a large model, a fault in every thousandth; with one cell a block, no two are alike."""
    template, wrong, found = cell(), cell(rms=4.0), []
    for i in range(cells):
        source = wrong if i % 1000 == 999 else template
        place = {
            "subject": f"interactions.{i // per_block}.conv_tp", "system": f"frame {i % 20}", "format": FORMATS[i // 20 % 5],
            "backend": BACKENDS[i // 100 % 2],
            "variant": ("forward", "backward")[i // 200 % 2],
        }  # fmt: skip
        found.append(source.model_copy(update=place))
    return results(run([]).model_copy(update={"records": found}))
