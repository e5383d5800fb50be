"""Libraries that print, log, plot and seed, kept quiet: everything global is afterwards as it was."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np


@contextlib.contextmanager
def quiet(seed: int | None = None) -> Iterator[None]:
    """Nothing is printed, logged or warned of; numpy's error state and its global random numbers are put back.

    Args:
        seed: of numpy's global random numbers within; None leaves them as they are.
    """
    disabled = logging.root.manager.disable
    numbers = np.random.get_state()
    with contextlib.ExitStack() as blocks:
        blocks.callback(np.random.set_state, numbers)
        blocks.callback(logging.disable, disabled)
        blocks.enter_context(np.errstate())
        blocks.enter_context(warnings.catch_warnings())
        blocks.enter_context(contextlib.redirect_stdout(io.StringIO()))
        blocks.enter_context(contextlib.redirect_stderr(io.StringIO()))
        logging.disable(logging.CRITICAL)
        warnings.simplefilter("ignore")
        if seed is not None:
            np.random.seed(seed)
        yield


def library(name: str) -> ModuleType:
    """Import a module without what it says on that occasion. pymbar warns on import; physical_validation imports it."""
    with quiet():
        return importlib.import_module(name)


def timeseries() -> Any:
    """``pymbar.timeseries``."""
    return library("pymbar.timeseries")


def physical_validation() -> Any:
    """The package, with its tests of kinetic energy, ensemble and integrator."""
    return library("physical_validation")
