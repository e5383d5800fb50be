"""Who is told first of several that are red, and what is said where no block is."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.records.attribution import PROPERTY, depth_of, family, innermost, innermost_first, names_of, nobody
from mpcheck.records.detail import figures
from mpcheck.records.record import Record

LEAF, COMPOSITE = "interactions.0.linear", "interactions.0"


def record(check: str, subject: str, verdict: Any = "fail", blocks: int = 0, **fields: Any) -> Record:
    return Record(check=check, subject=subject, verdict=verdict, detail=figures({"blocks": float(blocks)} if blocks else {}), **fields)


RED = [
    record("physics", "finite-difference"), record("equivariance", COMPOSITE), record("physics", "strided", block=COMPOSITE),
    record("physics", "closed-forms", block="spherical_harmonics"), record("equivariance", LEAF), record("equivariance", "model"),
]  # fmt: skip


def test_leaves_before_composites_and_both_before_properties() -> None:
    names = names_of(RED)
    assert names == {LEAF, COMPOSITE, "spherical_harmonics"}
    told = [(r.subject, r.block) for r in innermost_first(RED, names)]
    assert told == [
        ("closed-forms", "spherical_harmonics"), (LEAF, ""), (COMPOSITE, ""), ("strided", COMPOSITE), ("finite-difference", ""), ("model", ""),
    ]  # fmt: skip
    assert depth_of(RED[0], names) == PROPERTY


def test_a_property_that_is_red_alone_says_which_blocks_passed() -> None:
    sound = [record("equivariance", n, "pass") for n in (LEAF, COMPOSITE, "spherical_harmonics")]
    forms = [record("physics", "closed-forms", "pass", 12, variant=v) for v in ("constants", "forward")]
    said = nobody([RED[0], *sound, *forms])
    assert said == "no block is red: all 3 blocks of the model passed: equivariance (3), closed-forms (12)"
    assert nobody([RED[0], *forms]) == "no block is red: all 12 blocks of the model passed: closed-forms (12)"
    left_out = record("equivariance", "products.0", "unsupported")
    assert nobody([RED[0], *sound, left_out]).startswith("no block is red: all 3 blocks that were judged passed")
    assert "none was judged here" in nobody([RED[0]])


@pytest.mark.parametrize("besides", [RED[1], RED[3]])
def test_where_a_block_is_red_or_blamed_nothing_is_said(besides: Record) -> None:
    assert nobody([RED[0], besides]) == "" == nobody([record("physics", "stress", "pass")])


@pytest.mark.parametrize(
    ("block", "name"), [("interactions.0.conv_tp", "interactions.*.conv_tp"), ("a@12", "a@*"), ("linear_1", "linear_1"), ("a.1", "a.*")]
)
def test_blocks_that_differ_in_a_number_are_a_family(block: str, name: str) -> None:
    assert family(block) == name


def test_what_is_known_of_a_block_is_its_own_or_that_of_the_module_around_it() -> None:
    places = {"": "model", COMPOSITE: "layer", LEAF: "linear"}
    found = {name: innermost(name, places) for name in (LEAF, f"{LEAF}@2", f"{COMPOSITE}.scatter", "energy_sum")}
    assert list(found.values()) == [("linear", False), ("linear", False), ("layer", True), ("model", True)]
    assert innermost("energy_sum", {LEAF: "linear"}) is None
