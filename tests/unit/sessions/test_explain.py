"""Where an allowed error comes from: the parts that are told make up the whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.formats import COMPONENTS
from mpcheck.sessions.explain import WORDS, explain

PART = re.compile(r"^    (\w+) +u ([\d.e+-]+) x noise ([\d.e+-]+) = ([\d.e+-]+)   (.+)$")
SCALE = re.compile(r"root of the sum of squares = ([\d.e+-]+)")


@pytest.fixture(scope="module")
def page(cache: Path) -> str:
    return explain("builtin:hco", "builtin:isolated", "products.0.linear", "bf16", "e3nn", cache, 0)


def test_every_component_has_words() -> None:
    assert set(WORDS) == {*COMPONENTS, "result"}


def test_both_directions_are_told(page: str) -> None:
    heads = [line for line in page.splitlines() if not line.startswith(" ")]
    assert [re.sub(" .*", "", head) for head in heads] == [f"builtin:isolated/products.0.linear-e3nn-bfloat16-{d}:" for d in ("forward", "backward")]
    assert "bfloat16: unit roundoff u = 0.00391" in page


def test_parts_make_up_the_noise_scale(page: str) -> None:
    squares, tensors = 0.0, 0
    for line in page.splitlines():
        if part := PART.match(line):
            name, u, noise, product, words = part.groups()
            assert WORDS[name] == words  # type: ignore[index]
            assert float(u) * float(noise) == pytest.approx(float(product), rel=0.02)
            squares += float(product) ** 2
        elif scale := SCALE.search(line):
            assert squares**0.5 == pytest.approx(float(scale[1]), rel=0.02)
            squares, tensors = 0.0, tensors + 1
    assert tensors >= 2


def test_what_cannot_be_explained_is_said(cache: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        explain("builtin:hco", "builtin:isolated", "nowhere", "bfloat16", "e3nn", cache, 0)
    with pytest.raises(InputError, match="unknown format 'float7'"):
        explain("builtin:hco", "builtin:isolated", "products.0.linear", "float7", "e3nn", cache, 0)
