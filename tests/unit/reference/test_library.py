"""References by block: one held at a time, none of what computes other values from call to call."""

from __future__ import annotations

import copy

import pytest
import torch

from mpcheck.reference.faults import NoReferenceError, UnsteadyError
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM

BLOCK, OTHER = "products.0.linear", "readouts.0.linear"


def test_the_last_block_asked_for_is_held(session: Session) -> None:
    library = session.library(SYSTEM)
    held = library.get(BLOCK)
    assert library.get(BLOCK) is held
    library.get(OTHER)
    again = library.get(BLOCK)
    assert again is not held and all(torch.equal(again.values[n], t) for n, t in held.values.items())


def test_blocks_are_in_the_model_s_order_with_shapes_and_no_refusals(session: Session) -> None:
    library = session.library(SYSTEM)
    names = [b.name for b in library.blocks()]
    assert names == library.index["order"] and names.index("interactions.0") < names.index("products.0") < names.index("interactions.1")
    assert all(library.refused(name) is None and library.shapes(name) for name in names)


def test_rounded_values_are_those_of_what_a_format_stores(session: Session) -> None:
    library = session.library(SYSTEM)
    exact, rounded = library.get(BLOCK).values["out"], library.rounded(BLOCK, torch.bfloat16)["out"]
    assert rounded.dtype == torch.float64
    gap = float((rounded - exact).norm() / exact.norm())
    assert 2.0**-12 < gap < 2.0**-6, "inputs and weights were rounded to 8 bits, and nothing else"
    assert torch.equal(library.rounded(BLOCK, torch.float64)["out"], exact)
    emulated = library.emulated(BLOCK, torch.bfloat16)["out"]
    assert torch.equal(emulated.bfloat16().double(), emulated) and not torch.equal(rounded.bfloat16().double(), rounded), "results rounded as well"
    assert float((emulated - rounded).norm() / exact.norm()) < 2.0**-6


def test_a_block_that_is_not_steady_or_not_there_has_no_reference(session: Session) -> None:
    library = copy.copy(session.library(SYSTEM))
    index = copy.deepcopy(library.index)
    index["entries"][BLOCK]["unsteady"] = "out differs by 1"
    index["order"].remove(OTHER)
    library._index = index
    with pytest.raises(UnsteadyError, match="other float64 values in its first call: out differs by 1") as told:
        library.get(BLOCK)
    assert told.value.block == BLOCK
    library._held = None
    with pytest.raises(NoReferenceError, match="the model has no such block there"):
        library.get(OTHER)
