"""Every block has a row, every format a number, and only what fails is marked."""

from __future__ import annotations

from collections import Counter

from mpcheck.report.pictures import pictures
from tests.unit.report.pictures.samples import BLOCKS, FORMATS, SVG, cell, crosses, full, named, quantity, red, results, texts, tree


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
