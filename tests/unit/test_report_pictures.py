"""Pictures of a report: what they show, that nothing from the records breaks them, and that they stay small."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from mpcheck._text import one_line
from mpcheck.history.gates import GateEntry, entry_of
from mpcheck.records.document import Records
from mpcheck.records.read import Results
from mpcheck.records.record import Record
from mpcheck.records.tensors import Quantity, Worst
from mpcheck.report.pictures import Picture, pictures, standalone, write_pictures
from mpcheck.report.pictures.speed import subjects
from mpcheck.report.pictures.theme import NAMES, css, series_style
from mpcheck.report.pictures.words import extent, shorten, slug
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
        name="out", shape=[3], max_abs=error, max_rel=error, stabiliser=1.0, rms=rms, rms_limit=2.0, max=1.0, max_limit=4.0, bias=0.0,
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


@pytest.fixture(scope="module")
def all_pictures() -> list[Picture]:
    return everything()


def tree(picture: Picture) -> ET.Element:
    return ET.fromstring(picture.svg)


def texts(picture: Picture) -> list[str]:
    return [e.text or "" for e in tree(picture).iter(f"{SVG}text")]


def named(found: Sequence[Picture], name: str) -> Picture:
    return next(p for p in found if p.name == name)


def crosses(picture: Picture) -> list[str]:
    """Texts of fields that are marked as failing: a cross, in bold."""
    return [e.text or "" for e in tree(picture).iter(f"{SVG}text") if (e.text or "").startswith("✕") and "font-weight:700" in e.attrib["style"]]


def test_every_kind_of_picture_is_there(all_pictures: list[Picture]) -> None:
    assert [p.name for p in all_pictures] == [
        "verdicts", "heat-e3nn", "heat-cueq", "error-forward", "error-backward", "speed", "latency-change", "latency", "history",
    ]  # fmt: skip
    assert {p.section for p in all_pictures} == {"ratios", "errors", "speed", "latency", "history"}
    assert all(p.title and p.caption and p.alt for p in all_pictures)


def test_a_page_can_hold_them(all_pictures: list[Picture]) -> None:
    for picture in all_pictures:
        root = tree(picture)
        assert root.tag == f"{SVG}svg"
        assert root.attrib["role"] == "img"
        assert [e.text for e in root[:2]] == [picture.title, picture.alt]
        assert root.attrib["aria-labelledby"].split() == [e.attrib["id"] for e in root[:2]]
        assert not re.search(r"<\?xml|<!DOCTYPE|<metadata|<style|<script|<image|<foreignObject|href=\"[^#]|font-family:(?!inherit)", picture.svg)
        assert not {e.tag.rpartition("}")[2] for e in root.iter()} - {
            "svg",
            "title",
            "desc",
            "g",
            "path",
            "text",
            "use",
            "defs",
            "clipPath",
            "rect",
            "pattern",
        }


def test_colours_are_variables_with_a_value_in_light_and_dark(all_pictures: list[Picture]) -> None:
    for picture in all_pictures:
        assert not re.search(
            r"(?<!url\()(?<!href=\")#[0-9a-fA-F]{3,8}\b", " ".join(v for e in tree(picture).iter() for v in e.attrib.values()).replace("url(#", "")
        )
        assert set(re.findall(r"var\(--([\w-]+)\)", picture.svg)) <= set(NAMES)
        assert all("fill:var(" in e.attrib["style"] for e in tree(picture).iter(f"{SVG}text"))
    assert all(set(NAMES) <= set(theme) for theme in themes())


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def themes() -> list[dict[str, str]]:
    """Values of the variables, light and dark."""
    return [dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", part)) for part in css().split("@media")[:2]]


@pytest.mark.parametrize("place", [0, 1])
def test_numbers_are_readable_on_every_shade(place: int) -> None:
    theme = themes()[place]
    assert min(contrast(theme["ink"], theme[f"heat-{i}"]) for i in range(7)) >= 4.5
    assert min(contrast(theme[n], theme["paper"]) for n in NAMES if not n.startswith(("heat", "paper", "grid"))) >= 4.5


def test_ids_are_unique_on_a_page_and_all_references_resolve(all_pictures: list[Picture]) -> None:
    ids = Counter(e.attrib["id"] for p in all_pictures for e in tree(p).iter() if "id" in e.attrib)
    assert max(ids.values()) == 1
    for picture in all_pictures:
        own = {e.attrib["id"] for e in tree(picture).iter() if "id" in e.attrib}
        assert set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", picture.svg)) <= own
        assert all(i.startswith(picture.name) for i in own)


def test_words_lie_within_the_picture(all_pictures: list[Picture]) -> None:
    for picture in all_pictures:
        _, _, width, height = map(float, tree(picture).attrib["viewBox"].split())
        assert width <= 380
        for e in tree(picture).iter(f"{SVG}text"):
            place = re.match(r"translate\((\S+) (\S+)\)", e.attrib.get("transform", ""))
            x, y = map(float, place.groups()) if place else (float(e.attrib["x"]), float(e.attrib["y"]))
            assert -1 <= x <= width and 0 <= y <= height, (picture.name, e.text)


def test_equal_records_give_equal_bytes_whatever_matplotlib_is_told(all_pictures: list[Picture]) -> None:
    with mpl.rc_context({"text.usetex": True, "font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path", "lines.linewidth": 9}):
        assert everything() == all_pictures


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text(name: str) -> None:
    found = pictures(results([cell(name, name, name), cell("x", name, "float32")], [timing(name, name, name), timing("model", name, name)]))
    assert len(found) == 6
    for picture in found:
        root = tree(picture)
        assert not any(e.tag.rpartition("}")[2] in ("script", "img") for e in root.iter())
        ET.fromstring(standalone(picture))
        assert re.fullmatch(r"[a-z0-9-]+", picture.name)
        assert not re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff\u202e]", picture.svg + picture.title + picture.caption + picture.alt)
    assert any((one_line(name) or "␣") == t for t in texts(found[1]))


def test_every_block_has_its_row_and_every_field_its_number() -> None:
    blocks = [f"part.{i}.linear" for i in range(40)]
    cells = [cell(b, fmt=f, quantities=[quantity(rms=0.02 * i)]) for i, b in enumerate(blocks) for f in FORMATS]
    words = Counter(texts(pictures(results(cells))[1]))
    assert all(words[b] == 1 for b in blocks)
    assert all(words[f] == 1 for f in FORMATS)
    assert words["0.39"] == len(FORMATS)  # 0.02 * 39 of a limit of 2


def test_only_failing_fields_are_marked() -> None:
    cells = full()
    assert all("✕" not in p.svg for p in pictures(results(cells)))
    bad = [
        cell(BLOCKS[0], "cueq", "bfloat16", **red()),
        cell(BLOCKS[1], "cueq", "float32", **red(rms=None, error=None)),
        cell(BLOCKS[2], "cueq", "float32", verdict="fail", reason="raised ValueError", quantities=[]),
        cell(BLOCKS[3], "cueq", "float32", **red(rms=0.4)),  # fails another limit than that of the ratio
    ]
    drawn = pictures(results([*cells, *bad]))
    assert sorted(crosses(named(drawn, "heat-cueq"))) == ["✕", "✕ 0.20", "✕ 1.50", "✕ ∞"]
    assert crosses(named(drawn, "heat-e3nn")) == []
    frames = [e for e in tree(named(drawn, "heat-cueq")).iter(f"{SVG}path") if "stroke:var(--fail)" in e.attrib.get("style", "")]
    assert len(frames) == 1
    assert frames[0].attrib["d"].count("M") == len(bad)


def test_what_did_not_run_is_a_dash_and_another_kernel_is_told() -> None:
    cells = [cell("a", verdict="unsupported", reason="range", quantities=[]), cell("b", verdict="degraded"), cell("c")]
    words = texts(named(pictures(results(cells)), "heat-e3nn"))
    assert words.count("–") == 1
    assert "✕ 0.25~" in words and "0.25" in words  # the session is red where another kernel than the asked-for one ran
    assert any("~ another kernel ran" in w for w in words)


def test_backends_whose_names_look_alike_have_pictures_of_their_own() -> None:
    names = [p.name for p in pictures(results([cell("a", b) for b in ("cueq", "CuEq", "cueq!")]))]
    assert names[1:4] == ["heat-cueq", "heat-cueq-2", "heat-cueq-3"]


def test_an_error_has_a_panel_a_kind_of_block_failing_ones_first() -> None:
    cells = [*full(), cell("zeta", **red())]
    found = pictures(results(cells))
    bold = [e.text for e in tree(named(found, "error-forward")).iter(f"{SVG}text") if "font-weight:700" in e.attrib["style"]]
    assert bold == ["zeta", "interactions.*.conv_tp (2 blocks)", "products.0.symmetric_contractions", "node_embedding.linear", "interactions.0"]
    assert "zeta" in named(found, "error-forward").alt
    assert "zeta" not in texts(named(found, "error-backward"))


def markers(picture: Picture, variable: str) -> int:
    return sum(f"stroke:var(--{variable})" in e.attrib.get("style", "") for e in tree(picture).iter(f"{SVG}use"))


def test_each_error_stands_beside_what_is_allowed_of_it() -> None:
    cells = [cell("a", b, f) for b in BACKENDS for f in FORMATS]
    picture = named(pictures(results(cells)), "error-forward")
    drawn = len(BACKENDS) * len(FORMATS) * 2  # relative and absolute
    assert markers(picture, "ink") == drawn + 1  # and the legend's
    assert markers(picture, "series-0") == markers(picture, "series-1") == drawn / 2 + 1


def test_exact_and_infinite_errors_have_a_place() -> None:
    cells = [cell("a", fmt="float64", quantities=[quantity(error=0.0)]), cell("a", fmt="float16", **red(rms=None, error=None))]
    words = texts(named(pictures(results(cells)), "error-forward"))
    assert words.count("0") == words.count("∞") == 2


def test_speed_is_relative_to_e3nn_float32_or_the_slowest() -> None:
    run = run_of(full())
    usual, other = (bench_of([timing("interactions.0", *names, ms=ms) for names, ms in rows]) for rows in (
        [(("e3nn", "float32"), 2.0), (("cueq", "bfloat16"), 1.0), (("cueq", "float64"), 8.0)],
        [(("cueq", "float32"), 2.0), (("cueq", "bfloat16"), 1.0)],
    ))  # fmt: skip
    assert {(p.backend, p.format): p.latency for p in subjects(run, usual)[0].points} == {
        ("e3nn", "float32"): 1.0, ("cueq", "bfloat16"): 0.5, ("cueq", "float64"): 4.0,
    }  # fmt: skip
    assert [p.latency for p in subjects(run, other)[0].points] == [1.0, 0.5]


def test_the_error_beside_a_latency_is_that_of_the_timed_work() -> None:
    cells = [cell("a", quantities=[quantity(error=1e-6)]), cell("a", direction="backward", quantities=[quantity(error=1e-2)])]
    for work, error in (("forward", 1e-6), ("forward+backward", 1e-2)):
        found = subjects(run_of(cells), bench_of([timing("a", variant=work), timing("model", variant=work), timing("not judged")]))
        assert {s.name: s.points[0].error for s in found} == {"a": error, "model": error}


def test_one_format_compares_backends_and_says_so() -> None:
    one, several = (named(pictures(results(full(), timings(f))), "speed") for f in (("float32",), FORMATS))
    assert "Only float32 was timed" in one.caption
    assert "Only" not in several.caption
    assert "bf16" in texts(several) and "bf16" not in texts(one)


def test_slower_benchmarks_come_first_and_are_marked() -> None:
    found = pictures(results((), [timing("calm"), timing("quick", effect=-12.0), timing("slow", effect=8.0), timing("slowest", effect=9000.0)]))
    words = texts(named(found, "latency-change"))
    assert [w for w in words if w in ("calm", "quick", "slow", "slowest")] == ["slowest", "slow", "quick", "calm"]
    assert [w for w in words if "✕" in w] == ["+9e+03 % ✕", "+8.0 % ✕"]


def test_without_a_baseline_there_are_milliseconds_only() -> None:
    finding = check_record(check="latency", subject="a", backend="e3nn", format="float32", verdict="no-baseline", figures={"median_ms": 2.0})
    found = pictures(results((), [finding]))
    assert [p.name for p in found] == ["verdicts", "latency"]
    assert "baseline" not in texts(found[1])


def test_the_strip_counts_every_session() -> None:
    found = pictures(results([cell("a"), cell("b", **red()), cell("c", verdict="unsupported", quantities=[])], [timing("a")]))
    assert found[0].alt == "precision: 1 failed, 1 passed, 1 no verdict; bench: 1 passed."


def test_history_marks_changed_versions_and_lasting_changes() -> None:
    base = results(full())
    found = named(pictures(base, entries(20, base, 10, red=["precision/precision:s/a"])), "history")
    words = texts(found)
    assert "1 torch 2.13.0 -> 2.14.0 at 0000010a" in words
    assert sum(w.startswith("A bfloat16 +") and w.endswith("at 0000010a") for w in words) == 1
    assert not any(w.startswith("B ") for w in words)
    assert "red: 1, last 0000019a" in found.alt


def test_history_without_change_marks_none_and_other_work_is_left_out() -> None:
    base = results(full())
    same = entries(20, base)
    assert not any(re.match(r"[A-Z0-9] ", w) for w in texts(named(pictures(base, same), "history")))
    other = [e.model_copy(update={"options": "else"}) for e in same[:5]]
    assert "5 entries are not drawn" in named(pictures(base, [*other, *same[5:]]), "history").caption
    assert all(p.section != "history" for p in pictures(base, same[:1]))


def test_nothing_is_drawn_of_nothing() -> None:
    assert pictures(Results({})) == []
    empty = Results({"precision": run_of([]), "bench": bench_of([])})
    assert [p.name for p in pictures(empty)] == ["verdicts"]


@pytest.mark.parametrize("value", [1e300, -1e300, 5e-324, 0.0, float("inf")])
def test_figures_that_nobody_measures_do_not_stop_a_report(value: float) -> None:
    odd = quantity().model_copy(update=dict.fromkeys(("rms", "rms_limit", "max_abs", "max_rel", "allowed_abs", "allowed_rel"), value))
    metrics = {"decision": "slower", **dict.fromkeys(("effect_percent", "low_percent", "high_percent", "median_ms", "base_median_ms"), value)}
    base = results([cell("a", quantities=[odd]), *full()], [timing("a", figures=metrics, limit=value), *timings()])
    history = [e.model_copy(update={"ratios": dict.fromkeys(e.ratios, abs(value))}) for e in entries(12, results(full()))]
    for picture in pictures(base, history):
        assert "nan" not in " ".join(v for e in tree(picture).iter() for k, v in e.attrib.items() if k in ("d", "x", "y", "transform"))


def test_records_of_any_size_give_small_pictures_that_say_what_is_left_out() -> None:
    blocks, backends, formats = ([f"{kind}{i}{'x' * 4000 if i == 7 else ''}" for i in range(n)] for kind, n in (("b", 1000), ("k", 30), ("f", 40)))
    one = [quantity()]
    cells = [cell(b, k, formats[i % 40], d, quantities=one) for i, b in enumerate(blocks) for k in backends for d in ("forward", "backward")]
    cells += [cell("b7", k, f, quantities=one) for k in backends for f in formats]
    cells.append(cell("b999", "k29", "f39", **red()))
    base = results(cells, [timing(b, k, f, effect=10.0) for b in blocks[:60] for k in backends[:7] for f in formats[:9]])
    found = pictures(base, entries(28, results(full(blocks[:5], backends[:2], formats[10:20]))) * 9)
    assert sum(len(p.svg.encode()) + len(p.caption) + len(p.alt) for p in found) < 2_000_000
    heat = [p for p in found if p.name.startswith("heat")]
    assert [crosses(p) for p in heat if crosses(p)] == [["✕ 1.50"]]
    assert all("of 1,001 blocks" in p.caption and "of 40 formats" in p.caption and "of 30 backends" in p.caption for p in heat)
    assert all("Drawn are" in p.caption or "not drawn" in p.caption for p in found if p.name != "verdicts")
    assert sum(t.endswith("✕") for t in texts(named(found, "latency-change"))) == 40


def test_pictures_stand_alone_in_files(all_pictures: list[Picture], tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "new", all_pictures)
    assert [p.name for p in paths] == [f"{p.name}.svg" for p in all_pictures]
    for path in paths:
        root = ET.parse(path).getroot()
        assert css() in next(e.text or "" for e in root.iter(f"{SVG}style"))
        assert "@media screen and (prefers-color-scheme: dark)" in css()
        _, _, width, height = root.attrib["viewBox"].split()
        assert (root.attrib["width"], root.attrib["height"]) == (width, height)


def test_importing_needs_neither_matplotlib_nor_torch() -> None:
    code = "import sys, mpcheck.report.pictures; print([m for m in ('matplotlib', 'torch', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_series_differ_without_colour() -> None:
    styles = [series_style(i) for i in range(16)]
    assert len({s.marker for s in styles[:8]}) == len({str(s.dash) for s in styles[:8]}) == 8
    assert len({(s.colour, s.marker) for s in styles}) == 16


@pytest.mark.parametrize("text", ["", "a", "m" * 500, "interactions.0.symmetric_contractions", "漢字" * 90, "e\u0301" * 90])
@pytest.mark.parametrize("room", [5.0, 40.0, 168.0])
def test_shortened_names_fit_and_keep_both_ends(text: str, room: float) -> None:
    short = shorten(text, room, 9.0)
    assert short == text or ("…" in short and extent(short, 9.0) <= max(room, 9.0))
    assert text.startswith(short.partition("…")[0]) and text.endswith(short.partition("…")[2])


def test_names_of_files_are_plain_and_never_empty() -> None:
    assert slug("heat", "../..//Etc", taken={"heat-etc"}) == "heat-etc-2"
    assert slug("漢字") == "picture"
    assert len(slug("x" * 1000)) < 60
