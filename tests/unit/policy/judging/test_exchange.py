"""Structures handed from process to process."""

from __future__ import annotations

import numpy as np
import pytest

from mpcheck._errors import InputError
from mpcheck.policy.judging.exchange import frames_in, frames_out
from mpcheck.systems import Structures
from tests.unit.policy.judged_samples import drop, water


def test_structures_come_back_bit_for_bit() -> None:
    """With periodicity, cell, and all that a model takes: numbers, vectors, words, columns."""
    frame = drop()
    frame.info |= {"total_charge": 1.0, "external_field": np.array([0.0, 0.1, 1 / 3]), "head": "Default"}
    frame.arrays["charges"] = np.array([0.1, 0.2, 0.3])
    frames = [frame, *water()]
    assert Structures("", tuple(frames_in(*frames_out(frames)))).digest == Structures("", tuple(frames)).digest


def test_an_incomplete_structure_is_refused() -> None:
    """It names what is missing."""
    tensors, words = frames_out([drop()])
    del tensors["0:cell"]
    with pytest.raises(InputError, match="cell"):
        frames_in(tensors, words)
