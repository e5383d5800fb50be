"""Loading a model leaves nothing global changed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import torch

from tests.unit.loading import SAFE


@pytest.fixture
def nothing_global_changes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(SAFE, raising=False)
    seed, before = torch.random.get_rng_state(), (torch.get_default_dtype(), logging.root.level)
    yield
    assert (torch.get_default_dtype(), logging.root.level) == before
    assert SAFE not in os.environ
    assert torch.equal(torch.random.get_rng_state(), seed)
