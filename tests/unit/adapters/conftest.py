"""A tiny model, its cuEquivariance twin, and a look at what is global."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import torch

from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.backends.cueq import BACKEND as CUEQ
from mpcheck.adapters.backends.cueq import CueqModel
from tests.unit.adapters.loading import SAFE
from tests.unit.adapters.samples import ARCHITECTURE


@pytest.fixture
def nothing_global_changes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(SAFE, raising=False)
    seed, before = torch.random.get_rng_state(), (torch.get_default_dtype(), logging.root.level)
    yield
    assert (torch.get_default_dtype(), logging.root.level) == before
    assert SAFE not in os.environ
    assert torch.equal(torch.random.get_rng_state(), seed)


@pytest.fixture(scope="session")
def tiny() -> torch.nn.Module:
    return build_model(Architecture.model_validate(ARCHITECTURE))


@pytest.fixture(scope="session")
def tiny_cueq(tiny: torch.nn.Module) -> CueqModel:
    return CUEQ.build(tiny, torch.device("cpu"))
