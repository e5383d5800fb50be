"""One mistake is one card; two are two."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.records.record import Record
from mpcheck.report.cards import Card, cards
from tests.unit import report_samples as samples

LINEAR, LAYER = "interactions.0.linear", "interactions.0"
CODE = {LINEAR: "e3nn/o3/_linear.py:256 Linear", "readouts.0.linear": "e3nn/o3/_linear.py:256 Linear", LAYER: "mace/modules/blocks.py:763 Layer"}


def of(*records: Record, others: tuple[Any, ...] = (), code: dict[str, str] | None = None, new: tuple[str, ...] = ()) -> list[Card]:
    run = samples.run(list(records))
    run = run.model_copy(update={"model": run.model.model_copy(update={"code": code or {}})})
    return cards(samples.results(run, *others), new)


def red(subject: str, rms: float = 9.0, **changes: Any) -> Record:
    return samples.cell(subject, rms, **changes)


def test_backends_systems_directions_and_formats_are_one_card() -> None:
    every = [
        red(LINEAR, backend=b, format=f, variant=v, system=s)
        for b in ("e3nn", "cueq") for f in ("float32", "bfloat16") for v in ("forward", "backward") for s in ("builtin:water", "builtin:slab")
    ]  # fmt: skip
    (card,) = of(*every)
    assert (card.subject, len(card.own), card.behind, card.is_block) == (LINEAR, 16, [], True)
    assert card.names("backend") == ["e3nn", "cueq"] and card.names("system") == ["builtin:slab", "builtin:water"]


def test_layers_and_blocks_of_one_class_are_one_card() -> None:
    (card,) = of(red("interactions.0.conv"), red("interactions.1.conv", 12.0))
    assert card.blocks == ["interactions.1.conv", "interactions.0.conv"]
    (card,) = of(red(LINEAR), red("readouts.0.linear"), code=CODE)
    assert card.source == "e3nn/o3/_linear.py:256 Linear.forward" and len(card.blocks) == 2
    assert len(of(red(LINEAR), red("readouts.0.linear"), code={})) == 2, "nothing says that they share their code"


def test_what_contains_a_red_block_goes_with_it_in_the_formats_in_which_that_is_red() -> None:
    first, second = of(red(LINEAR, format="bfloat16"), red(LAYER, format="bfloat16"), red(LAYER, format="float64"))
    assert (first.subject, [i.subject for i in first.behind]) == (LINEAR, [LAYER])
    assert (second.subject, [i.format for i in second.own]) == (LAYER, ["float64"])


def test_two_mistakes_are_two_cards_innermost_and_worst_first() -> None:
    found = of(
        red("radial.embedding.basis", 3.0, format="float64"),
        red(LINEAR, 40.0, format="bfloat16"),
        red("other", 900.0, format="float16", block="composite"),
    )
    assert [card.subject for card in found] == [LINEAR, "radial.embedding.basis", "other"]


def test_many_kinds_of_block_that_are_red_alike_are_what_they_share() -> None:
    (card,) = of(*(red(name, format="float32") for name in ("a.one", "b.two", "c.three", "c.three.inner")))
    assert card.kinds == 3 and "3 kinds of block are red alike" in card.looks
    assert {i.subject for i in card.items} == {"a.one", "b.two", "c.three", "c.three.inner"}


def test_a_step_has_its_code_in_what_calls_it_and_another_backend_has_none() -> None:
    (card,) = of(red("interactions.0.scatter", block="step"), code=CODE)
    assert card.source == "called in mace/modules/blocks.py:763 Layer.forward"
    (card,) = of(red(LINEAR, backend="cueq"), code=CODE)
    assert card.source == ""


def test_golden_values_behind_the_first_that_changed_go_with_it() -> None:
    rows = [
        {"system": "builtin:water", "name": f"{name}:out.0", "rms": 5.0, "max": 9.0, "limit": 2.0, "failure": "rms 5 > 2"}
        for name in ("a.one", "b.two")
    ]
    (card,) = cards(samples.results(samples.run(samples.grid(), golden=rows)))
    assert (card.subject, [i.subject for i in card.behind]) == ("a.one", ["b.two"])
    assert card.looks.startswith("the float64 values themselves changed")


def test_a_property_goes_with_a_block_and_without_one_with_the_others_of_its_session() -> None:
    wrong = [samples.finding("equivariance", "model", "fail", format="bfloat16", reason="turned", ratio=3.0, limit=1.0)]
    (card,) = of(red(LINEAR), others=(samples.findings("symmetry", wrong),))
    assert [i.subject for i in card.behind] == ["model"]
    physics = [samples.finding("physics", name, "fail", format="float64", reason="not the derivative") for name in ("finite-difference", "stress")]
    (card,) = of(samples.cell(LINEAR), others=(samples.findings("audit", physics),))
    assert (card.is_block, len(card.own)) == (False, 2) and card.subject in ("finite-difference", "stress")


def test_nothing_that_is_red_is_on_no_card() -> None:
    for results in (samples.red(), samples.results(samples.findings("audit", [samples.finding("dtypes", verdict="fail", reason="bfloat16")]))):
        listed = [item for card in cards(results) for item in card.items]
        assert sorted(i.id for i in listed) == sorted(i.id for i in results.failures)
    assert cards(samples.green()) == []


@pytest.mark.parametrize("first", ["radial.embedding.basis", LINEAR])
def test_what_is_new_comes_first(first: str) -> None:
    every = [red("radial.embedding.basis", 3.0, format="float64"), red(LINEAR, 40.0, format="bfloat16")]
    new = tuple(f"precision/precision:builtin:water/{c.subject}-e3nn-{c.format}-forward" for c in every if c.subject == first)
    assert of(*every, new=new)[0].subject == first
