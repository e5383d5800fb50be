"""The pictures that sessions leave beside their records: what is in them, and that each is a file that stands alone."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.records.finding import Finding
from mpcheck.report.pictures.ranges import Sample
from mpcheck.report.pictures.sessions import write_bench_picture, write_precision_picture, write_profile_pictures
from mpcheck.report.pictures.svg import SVG
from tests.unit.report_samples import BACKENDS, BLOCKS, CULPRIT, FORMATS, HOSTILE, findings, grid, run

SAMPLES = (
    Sample("builtin:water*1", "products.0.linear", "forward", "e3nn float32", [1e-3, 1.1e-3, 1.3e-3]),
    Sample("builtin:water*1", "products.0.linear", "forward", "cueq-mul_ir float32", [2e-3] * 5),
    Sample("builtin:water*4", "model", "energy+forces", "e3nn float32", [0.03, 0.05]),
    Sample("builtin:water*4", "model", "energy", "cueq float32", []),
)


def texts(path: Path) -> list[str]:
    """What can be read in a picture; it is whole, one file, and nothing reaches out of it."""
    source = path.read_text(encoding="utf-8")
    assert source.startswith("<?xml") and not re.search(r"<script|<image|<foreignObject|href=\"[^#]|font-family:inherit", source)
    defined = set(re.findall(r"--([\w-]+):", source))
    assert set(re.findall(r"var\(--([\w-]+)\)", source)) <= defined, "colours are those of the theme, light and dark"
    ids = re.findall(r'\bid="([^"]+)"', source)
    assert len(ids) == len(set(ids)), "pictures of one sheet share no id"
    root = ET.fromstring(source)
    width = float(root.attrib["width"])
    for inner in root.iter(f"{{{SVG}}}svg"):
        assert float(inner.attrib.get("x", 0)) + float(inner.attrib["width"]) <= width
    return [t.text or "" for t in root.iter(f"{{{SVG}}}text")]


def test_precision_shows_every_block_in_every_format_and_backend(tmp_path: Path) -> None:
    write_precision_picture(tmp_path / "precision.svg", run(grid()))
    shown = texts(tmp_path / "precision.svg")
    assert {*BLOCKS, *FORMATS, *(f"Rounding ratios, {b}" for b in BACKENDS)} <= set(shown)
    assert shown.count("0.70") == len(BLOCKS) * len(FORMATS) * len(BACKENDS)
    assert not any("✕" in text for text in shown)
    assert list(tmp_path.iterdir()) == [tmp_path / "precision.svg"]


def test_what_fails_a_limit_is_marked_without_colour(tmp_path: Path) -> None:
    red = grid(lambda block, backend, fmt: 3.0 if (block, backend, fmt) == (CULPRIT, "cueq", "bfloat16") else 0.7)
    write_precision_picture(tmp_path / "precision.svg", run(red))
    assert [t for t in texts(tmp_path / "precision.svg") if "✕" in t] == ["✕ 3.00", "– did not run · ✕ fails · 1 is what is allowed"]


def test_bench_shows_every_benchmark_that_was_timed(tmp_path: Path) -> None:
    write_bench_picture(tmp_path / "bench.svg", "builtin:hco", SAMPLES)
    shown = texts(tmp_path / "bench.svg")
    assert {"builtin:water*1: forward", "builtin:water*4: energy+forces", "products.0.linear", "model", "cueq-mul_ir float32"} <= set(shown)
    assert "cueq float32" not in shown
    source = (tmp_path / "bench.svg").read_text(encoding="utf-8")
    assert "var(--series-0)" in source and "var(--series-1)" in source


def test_no_picture_of_nothing_and_none_where_none_can_be(tmp_path: Path) -> None:
    write_bench_picture(tmp_path / "p.svg", "m", SAMPLES[3:])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        write_bench_picture(tmp_path / "file" / "p.svg", "m", SAMPLES)


def block(subject: str, backend: str, share: float, **more: Any) -> Finding:
    metrics = {
        "share": share, "host_ms": 60 * share, "device_ms": 30 * share, "backward_host_ms": 40 * share, "backward_device_ms": 50 * share,
        "end_to_end_ms": 100.0, "bound": "CPU-bound",
    }  # fmt: skip
    return Finding(check="profile", subject=subject, backend=backend, format="float32", system="s*1", verdict="pass", metrics=metrics | more)


def point(order: int, batch: int, backend: str, **more: float) -> Finding:
    metrics = {"l_max": order, "batch": batch, "median_ms": 9.0 * order, "q25_ms": 8.0 * order, "q75_ms": 12.0 * order, **more}
    return Finding(check="sweep", subject="model", backend=backend, format="float32", verdict="pass", metrics=metrics)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_profile_s_pictures(tmp_path: Path, device: str) -> None:
    document = findings("profile", [])
    document = document.model_copy(update={"environment": document.environment | {"device": device}})
    maps = {("s*1", "float32", "energy+forces", b): [block("conv", b, 0.9), block("tiny", b, 0.005), block("wee", b, 0.004)] for b in BACKENDS}
    gain = {"speedup": 1.5, "speedup_low": 1.4, "speedup_high": 1.7}
    sweep = [point(order, batch, b, **(gain if b == "cueq" else {})) for order in (1, 2) for batch in (1, 8) for b in BACKENDS]
    samples = {("float32", "energy+forces"): {"e3nn": [0.01, 0.012, 0.02], "cueq": [0.3] * 4}}
    written = write_profile_pictures(tmp_path, document, maps, samples, sweep)
    assert [p.name for p in written] == ["profile-energy-forces.svg", "profile-latency.svg", "profile-sweep.svg"]
    blocks, calls, sizes = map(texts, written)
    assert {"e3nn: 100 ms a call, CPU-bound", "conv", "2 smaller", "90.00"} <= set(blocks) and "tiny" not in blocks
    assert ("kernels on the GPU" in blocks) is (device == "cuda") is ("forward, kernels" not in blocks)
    assert {"e3nn: median 12 ms, 3 calls", "cueq: median 300 ms, 4 calls", "energy+forces, float32"} <= set(calls)
    assert {"Speed-up on e3nn", "l_max 2, cueq", "8"} <= set(sizes) and sizes.count("l_max 1, e3nn") == 1


def test_names_from_records_break_no_picture(tmp_path: Path) -> None:
    samples = [Sample(t, t, t, t, [1e-3]) for t in HOSTILE]
    write_bench_picture(tmp_path / "b.svg", HOSTILE[0], samples)
    maps = {(t, t, t, b): [block(u, b, 0.5) for u in HOSTILE] for t, b in zip(HOSTILE, HOSTILE, strict=True)}
    calls = {(t, t): {t: [0.1, 0.2]} for t in HOSTILE}
    written = write_profile_pictures(tmp_path, findings("profile", []), maps, calls, [point(1, 1, t) for t in HOSTILE])
    assert len(set(written)) == len(HOSTILE) + 2
    for path in (tmp_path / "b.svg", *written):
        assert texts(path)
        assert not re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff\u202e]", path.read_text(encoding="utf-8"))
