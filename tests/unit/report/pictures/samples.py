"""Small records to draw, and what a picture says."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

from mpcheck.history.gates import GateEntry, entry_of
from mpcheck.records.document import Records
from mpcheck.records.read import Results
from mpcheck.records.record import Record
from mpcheck.records.tensors import Quantity, Worst
from mpcheck.report.pictures import Picture, pictures
from tests.unit.accounts import check_record, fields, precision_record

SVG = "{http://www.w3.org/2000/svg}"
ROLES = {"conv_tp": "channel-wise tensor product", "linear": "linear", "symmetric_contractions": "symmetric contraction"}
BLOCKS = ("node_embedding.linear", "interactions.0", "interactions.0.conv_tp", "interactions.1.conv_tp", "products.0.symmetric_contractions")
FORMATS = ("float64", "float32", "bfloat16")
BACKENDS = ("e3nn", "cueq")
HOSTILE = (
    "<script>alert(1)</script>",
    "a $\\frac{x$ b",
    '"]]>&amp;<!--',
    "nul\x00esc\x1b[31m",
    "\u202egnp.\ud800",
    "漢字の名前",
    "</svg><img src=x onerror=y>",
    " ",
)
ENVIRONMENT = {"device_name": "CPU", "device_slug": "cpu", "platform": "Linux", "threads": 1, "packages": {"torch": "2.13.0"}, "commit": "c" * 40}
HEAD: dict[str, Any] = {
    "mpcheck": "0",
    "environment": ENVIRONMENT,
    "model": {"name": "m", "digest": "d"},
    "systems": [],
    "options": {},
}


def quantity(rms: float | None = 0.5, failed: bool = False, error: float | None = 1e-4, allowed: float | None = 1e-3) -> Quantity:
    """A tensor whose limit is 2: its share of it is half its ratio."""
    return Quantity(
        name="out", shape=[3], max_abs=error, max_rel=error, stabiliser=1.0, rms=rms, rms_limit=2.0, max=0.1, max_limit=4.0, bias=0.0,
        signed_bias=0.0, bias_limit=1.0, signed_bias_limit=1.0, nonfinite=0, out_of_range=0, allowed_abs=allowed, allowed_rel=allowed,
        worst=Worst(place="atom 1", value=1.0, expected=1.1, allowed=0.05), failures=["rms"] if failed else [],
    )  # fmt: skip


def cell(block: str, backend: str = "e3nn", fmt: str = "float32", direction: str = "forward", **more: Any) -> Record:
    values: dict[str, Any] = {"verdict": "pass", "quantities": [quantity()]} | more
    role = ROLES.get(block.rpartition(".")[2], "interaction")
    kind = "leaf" if role in ROLES.values() else "composite"
    about = {"subject": block, "backend": backend, "format": fmt, "variant": direction, "system": "s"}
    return precision_record(role=role, block=kind, accumulation="wide", **about, **values)


def red(**more: Any) -> dict[str, Any]:
    return {"verdict": "fail", "reason": "rms ratio", "quantities": [quantity(failed=True, **({"rms": 3.0, "error": 2e-3} | more))]}


def run_of(cells: Sequence[Record]) -> Records:
    return Records(**HEAD, suite="precision", **fields(cells))


def full(blocks: Sequence[str] = BLOCKS, backends: Sequence[str] = BACKENDS, formats: Sequence[str] = FORMATS) -> list[Record]:
    return [cell(b, k, f, d) for b in blocks for k in backends for f in formats for d in ("forward", "backward")]


def timing(subject: str, backend: str = "e3nn", fmt: str = "float32", ms: float = 1.0, effect: float = 0.1, **more: Any) -> Record:
    decision = "slower" if effect > 4 else "faster" if effect < -4 else "same"
    metrics = {
        "decision": decision,
        "effect_percent": effect,
        "low_percent": effect - 1,
        "high_percent": effect + 1,
        "median_ms": ms,
        "base_median_ms": ms,
    }
    verdict = "fail" if decision == "slower" else "pass"
    fields: dict[str, Any] = {"verdict": verdict, "variant": "forward", "system": "s*1", "figures": metrics, "limit": 1.03} | more
    return check_record(check="latency", subject=subject, backend=backend, format=fmt, **fields)


def bench_of(findings: Sequence[Record]) -> Records:
    return Records(**HEAD, suite="bench", **fields(findings))


def timings(formats: Sequence[str] = ("float32",), subjects: Sequence[str] = ("model", *BLOCKS)) -> list[Record]:
    return [timing(s, b, f, ms=1.0 + i) for i, s in enumerate(subjects) for b in BACKENDS for f in formats]


def results(cells: Sequence[Record] = (), findings: Sequence[Record] = ()) -> Results:
    found: dict[str, Records] = {}
    if cells:
        found["precision"] = run_of(cells)
    if findings:
        found["bench"] = bench_of(findings)
    return Results(found)


def entries(number: int, base: Results, change: int | None = None, **last: Any) -> list[GateEntry]:
    """A history in which bfloat16 grows by a half from one entry on."""
    one, found = entry_of(base), []
    for i in range(number):
        grown = change is not None and i >= change
        ratios = {k: v * (1 + 0.01 * (i * 7 % 3 - 1)) * (1.5 if grown and k.endswith("bfloat16") else 1) for k, v in one.ratios.items()}
        packages = {"torch": "2.14.0" if grown else "2.13.0"}
        found.append(
            one.model_copy(
                update={"commit": f"{i:07d}" + "a" * 33, "date": f"2026-01-{i + 1:02d}T00:00:00+00:00", "ratios": ratios, "packages": packages}
            )
        )
    return [*found[:-1], found[-1].model_copy(update=last)] if last else found


def everything() -> list[Picture]:
    cells = full()
    cells[3] = cell(BLOCKS[0], "e3nn", "float32", "backward", **red())
    found = results([*cells, *(cell(n, **red()) for n in HOSTILE)], [*timings(FORMATS), timing("odd <b> $x$", effect=30.0)])
    return pictures(found, entries(14, results(full()), 7))


def tree(picture: Picture) -> ET.Element:
    return ET.fromstring(picture.svg)


def texts(picture: Picture) -> list[str]:
    return [e.text or "" for e in tree(picture).iter(f"{SVG}text")]


def named(found: Sequence[Picture], name: str) -> Picture:
    return next(p for p in found if p.name == name)


def crosses(picture: Picture) -> list[str]:
    """Texts of fields that are marked as failing: a cross, in bold."""
    return [e.text or "" for e in tree(picture).iter(f"{SVG}text") if (e.text or "").startswith("✕") and "font-weight:700" in e.attrib["style"]]
