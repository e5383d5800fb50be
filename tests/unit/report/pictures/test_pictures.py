"""Pictures of a report: a page can hold them, nothing from the records breaks them, and they stay small."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter

import matplotlib as mpl
import pytest

from mpcheck._text import one_line
from mpcheck.records.read import Results
from mpcheck.report.pictures import Picture, pictures, standalone
from tests.unit.report.pictures.samples import (
    HOSTILE,
    SVG,
    bench_of,
    cell,
    crosses,
    entries,
    everything,
    full,
    named,
    quantity,
    red,
    results,
    run_of,
    texts,
    timing,
    timings,
    tree,
)


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


def test_importing_needs_neither_matplotlib_nor_torch() -> None:
    code = "import sys, mpcheck.report.pictures; print([m for m in ('matplotlib', 'torch', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
