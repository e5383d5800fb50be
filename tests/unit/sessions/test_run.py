"""One run: what it covers, and what it refuses."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.judge.tolerances import packaged
from mpcheck.sessions.run import Options, Session, parse_device
from tests.conftest import SYSTEM


def test_an_exception_that_matches_nothing_is_an_error(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(
        packaged("limits.yaml").read_text() + "  - {block: nowhere.*, format: [float32], rms: 2.0, reason: no block of this name exists at all}\n"
    )
    strict = Session(dataclasses.replace(session.options, tolerances=path))
    with pytest.raises(InputError, match="matches nothing"):
        strict.cells()


@pytest.mark.parametrize("text", ["cpu", "cuda", "cuda:0", "cuda:12"])
def test_devices_are_read_as_torch_has_them(text: str) -> None:
    assert str(parse_device(text)) == text


@pytest.mark.parametrize("text", ["", "cpu:0", "cuda:-1", "cuda:x", "CUDA", "tpu", "cuda:1:2"])
def test_another_device_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="unknown device"):
        parse_device(text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backends": ("nope",)}, "unknown backend 'nope'"), ({"formats": ("float7",)}, "unknown format 'float7'"),
        ({"require": ("luck", "cuda")}, "unknown capability luck in --require; choose from"), ({"seed": -1}, "from 0 to 2"),
        ({"seed": 1 << 63}, "from 0 to 2"), ({"device": "tpu"}, "unknown device 'tpu'"), ({"model": "builtin:nope"}, "nope"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_be_made_says_why(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        Session(Options(**changes))


def test_a_pattern_selects_blocks_and_one_that_matches_none_is_refused(session: Session) -> None:
    chosen = Session(dataclasses.replace(session.options, blocks=("products.*.linear", "radial*")), session.model)
    names, every = ([block.name for block in one.blocks(SYSTEM)] for one in (chosen, session))
    assert names == [name for name in every if name.startswith("radial") or (name.startswith("products.") and name.endswith(".linear"))]
    assert {"products.0.linear", "products.1.linear", "radial_embedding"} <= set(names) < set(every)
    typo = Session(dataclasses.replace(session.options, blocks=("products.*", "prodcuts.*")), session.model)
    with pytest.raises(InputError, match=r"no block matches 'prodcuts.\*' \(did you mean products\S+\?\); `mpcheck blocks builtin:hco` lists them"):
        typo.blocks(SYSTEM)


def test_what_the_user_left_out_is_told_by_kind(session: Session) -> None:
    own = dataclasses.replace(session.options, formats=("float64", "float32"), backends=("cueq",), blocks=("products.*",))
    narrow = Session(own, session.model)
    assert "blocks" not in narrow.narrowed(), "no block is known before the model was looked at"
    narrow.blocks(SYSTEM)
    left = narrow.narrowed()
    assert left["backends"] == ["e3nn"] and "float32" not in left["formats"] and "bfloat16" in left["formats"]
    assert left["blocks"] == [b.name for b in session.blocks(SYSTEM) if not b.name.startswith("products.")]
    assert "builtin:solvents" in left["systems"] and SYSTEM not in left["systems"]


def test_a_backend_that_cannot_be_built_is_tried_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    made, tried = Session(session.options, session.model), list[str]()

    def build(name: str) -> Any:
        tried.append(name)
        raise KeyError("no kernel")

    monkeypatch.setattr(made, "_build", build)
    for _ in range(3):
        with pytest.raises(KeyError, match="no kernel"):
            made.backend("cueq")
    assert tried == ["cueq"]


def test_a_model_that_raises_is_one_cell_of_the_block_that_it_raised_in(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Session(session.options, session.model)
    block = made.reference_backend.model.interactions[1].linear

    def broken(_: str) -> Any:
        monkeypatch.setattr(block, "forward", lambda x: {}["weights"])
        block(torch.zeros(1))

    monkeypatch.setattr(made, "blocks", broken)
    (key,) = made.cells()
    assert (key.block, key.backend, key.format, key.direction) == ("interactions.1.linear", "e3nn", "float64", "forward")
    assert made.broken[key.id].line == "KeyError: 'weights'"
