"""The parts of a quantity that are judged apart."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.parts import parts_of
from mpcheck.sessions.options import Options
from mpcheck.sessions.run import Session


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session(Options(model="builtin:hco", systems=("builtin:water",), backends=("e3nn",), cache=tmp_path_factory.mktemp("cache")))


ENTERING = ["16x0e", "16x0e", "16x1o", "16x1o", "16x1o", "16x2e", "16x2e"]
PATHS = [f"{irreps} -> {irreps}" for irreps in ENTERING]


@pytest.mark.parametrize(
    ("block", "name", "shape", "irreps", "flat"),
    [
        ("interactions.1.linear", "out", (5, 144), ["16x0e", "16x1o", "16x2e"], False),
        ("interactions.1.linear", "grad.energy.features", (5, 336), ENTERING, False),
        ("interactions.1.linear", "weight.random.weight", (1792,), PATHS, True),
        ("interactions.1", "weight.random.linear.weight", (1792,), PATHS, True),
        ("energy_sum", "out", (2,), [""], False),
    ],
)
def test_parts_are_irreps_and_paths(model: Session, block: str, name: str, shape: tuple[int, ...], irreps: list[str], flat: bool) -> None:
    library = model.library("builtin:water")
    found = library.get(block).block
    parts = parts_of(found, library.backend.module(found), name, shape)
    assert [n for n, _ in parts.groups] == irreps and parts.flat is flat
    covered = torch.zeros(shape)
    for index in parts.indices:
        covered[index] += 1
    assert not parts.indices or bool((covered == 1).all()), "parts cover everything once"
    assert bool(parts.indices) is (len(irreps) > 1)
