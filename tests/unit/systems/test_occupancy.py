"""Occupancies that readers leave in a frame are found wherever they are, and full ones pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms

from mpcheck.systems.occupancy import partial

FULL: list[Any] = [
    {"0": {"C": 1.0}, "1": {"O": 1}}, '{"0": {"C": 1}}', 1, 1.0, [1.0, 1.0], np.ones(2), {}, {"0": 1.0}, "1.00(2)",
]  # fmt: skip
PARTIAL: list[Any] = [
    {"0": {"C": 0.5}, "1": {"O": 1}}, {"0": {"C": 0.5, "O": 0.5}}, '{"0": {"C": 0.97}}', 0.5, [1.0, 0.5], np.array([1.0, 0.0]), {"0": 0.25},
    "half", "?", {"0": {"C": 1.0, "O": 1.0}}, {"0": {"C": float("nan")}},
]  # fmt: skip


@pytest.mark.parametrize("value", FULL)
def test_full(value: Any) -> None:
    assert partial(Atoms("CO", info={"occupancy": value, "energy": 0.5})) is None


@pytest.mark.parametrize("value", PARTIAL)
@pytest.mark.parametrize("name", ["occupancy", "Occupancies", "site_occupancy", "occ"])
def test_partial(name: str, value: Any) -> None:
    assert name in str(partial(Atoms("CO", info={name: value})))


def test_columns() -> None:
    frame = Atoms("CO")
    frame.arrays["occupancy"] = np.array([1.0, 1.0])
    assert partial(frame) is None
    frame.arrays["occupancy"] = np.array([1.0, 0.3])
    assert "0.3 of atom 1" in str(partial(frame))
    frame.arrays["occupancy"] = np.array(["1", "?"])
    assert "? of atom 1" in str(partial(frame))
