"""Which parts there are: each would be taken by the command that it runs, at both sizes, and says what it leaves."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import typer.main

from mpcheck._errors import InputError
from mpcheck.cli.main import app
from mpcheck.sessions.registry import get
from mpcheck.sessions.survey.registry import chosen, parts
from mpcheck.survey.part import Part, Scale

EVERY = parts()
SIZES = [(part, toy) for part in EVERY for toy in (False, True) if part.toy or not toy]
NAMED = [f"{part.name}-{'toy' if toy else 'full'}" for part, toy in SIZES]


def test_names_are_unique_and_the_most_valuable_comes_first() -> None:
    assert len({part.name for part in EVERY}) == len(EVERY) >= 10
    assert EVERY[0].name == "smoke" and [part.order for part in EVERY] == sorted(part.order for part in EVERY)
    assert {"smoke", "kernels", "precision", "speed", "policies", "gate"} <= {part.subject for part in EVERY}


@pytest.mark.parametrize("part", EVERY, ids=lambda part: part.name)
def test_a_part_says_all_that_it_needs(part: Part) -> None:
    assert bool(part.session) != bool(part.module) and set(part.kinds) <= set(part.cost)
    assert ("toy" in part.cost) == bool(part.toy)
    assert all(0 < cost.estimate < cost.most for cost in part.cost.values())
    assert not part.keeps or set(part.keeps) <= set(get(part.session).checks)
    assert set(part.adopted) <= set(part.leaves)
    if part.module:
        assert callable(import_module(part.module).main)


@pytest.mark.parametrize(("part", "toy"), SIZES, ids=NAMED)
def test_its_words_are_taken(part: Part, toy: bool) -> None:
    words = part.words_at(Scale("cpu", toy), "somewhere")
    assert not any("{" in word for word in words)
    if part.module == "mpcheck.cli.main":
        command, *words = words
    elif part.session:
        command = get(part.session).command
        words += ["--device", "cpu", "--out", "somewhere"]
    else:
        return
    group: Any = typer.main.get_command(app)
    context = group.commands[command].make_context(command, words)
    if part.session:
        from mpcheck.sessions.options import values_of

        values_of(get(part.session).options, {name.replace("_", "-"): value for name, value in context.params.items()})


def test_a_gpus_minutes_suffice_for_what_matters_most() -> None:
    from mpcheck.survey.plan import simulated

    cuda = Scale("cuda")
    slots = {slot.part.name: slot for slot in simulated(parts(cuda), 540.0 - 8.0, 16, cuda)}
    wanted = [name for name, slot in slots.items() if slot.begin is not None]
    assert {"smoke", "tensor-cores", "engagement", "cells", "latency", "map", "crystals"} <= set(wanted)


def test_parts_are_chosen_by_name_or_subject() -> None:
    assert [part.name for part in chosen(EVERY, ["smoke"])] == ["smoke", "tensor-cores"]
    assert [part.name for part in chosen(EVERY, ["cells*", "map"])] == ["cells", "cells-canonical", "cells-unfused", "cells-full-sums", "map"]
    assert chosen(EVERY, []) == EVERY
    with pytest.raises(InputError, match=r"--part smok: no such part \(did you mean smoke\?\); choose from smoke, "):
        chosen(EVERY, ["map", "smok"])
