"""Errors by format beside what is allowed of them."""

from __future__ import annotations

from mpcheck.report.pictures import Picture, pictures
from tests.unit.report.pictures.samples import BACKENDS, FORMATS, SVG, cell, full, named, quantity, red, results, texts, tree


def test_an_error_has_a_panel_a_kind_of_block_failing_ones_first() -> None:
    cells = [*full(), cell("zeta", **red())]
    found = pictures(results(cells))
    bold = [e.text for e in tree(named(found, "error-forward")).iter(f"{SVG}text") if "font-weight:700" in e.attrib["style"]]
    assert bold == ["zeta", "interactions.*.conv_tp (2 blocks)", "products.0.symmetric_contractions", "node_embedding.linear"]
    assert "zeta" in named(found, "error-forward").alt
    assert "zeta" not in texts(named(found, "error-backward"))


def markers(picture: Picture, variable: str) -> int:
    return sum(f"stroke:var(--{variable})" in e.attrib.get("style", "") for e in tree(picture).iter(f"{SVG}use"))


def test_each_error_stands_beside_what_is_allowed_of_it() -> None:
    cells = [cell("a", b, f) for b in BACKENDS for f in FORMATS]
    picture = named(pictures(results(cells)), "error-forward")
    drawn = len(BACKENDS) * len(FORMATS)
    assert markers(picture, "ink") == drawn + 1  # and the legend's
    assert markers(picture, "series-0") == markers(picture, "series-1") == len(FORMATS) + 1


def test_exact_and_infinite_errors_have_a_place() -> None:
    cells = [cell("a", fmt="float64", quantities=[quantity(error=0.0)]), cell("a", fmt="float16", **red(rms=None, error=None))]
    words = texts(named(pictures(results(cells)), "error-forward"))
    assert words.count("0") == words.count("∞") == 1
