"""A few of the built-in solvents, and trainings of two epochs on them: seconds each, done once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
import torch

from mpcheck.adapters.training.trainer import Settings
from mpcheck.learning.labels import Set
from mpcheck.learning.recipe import architecture, small
from mpcheck.learning.regimes import REGIMES
from mpcheck.learning.solvents import solvents
from mpcheck.learning.training import Run, train

SETTINGS = Settings(epochs=3, batch_size=4, growth_interval=3, init_scale=256.0, lr=0.01)


@cache
def few() -> Set:
    """Eight training structures, three each to ask; single molecules and pairs."""
    whole = solvents()
    return replace(whole, train=[*whole.train[:4], *whole.train[60:64]], validation=[*whole.validation[:2], whole.validation[30]],
                   test=[whole.test[0], *whole.test[30:32]])  # fmt: skip


@cache
def begun() -> torch.nn.Module:
    """The model that all trainings begin with."""
    return small(architecture(few()), 0).module


@cache
def trained(name: str) -> Run:
    """A sound training."""
    return train(begun(), few(), REGIMES[name], SETTINGS, torch.device("cpu"))


@pytest.fixture
def planted() -> Callable[..., Run]:
    """A training into which a test has planted something."""
    return lambda name, **changes: train(begun(), few(), REGIMES[name], replace(SETTINGS, **changes), torch.device("cpu"))
