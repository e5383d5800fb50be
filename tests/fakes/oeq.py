"""OpenEquivariance's stand-in in this process: on the path, and in the modules of upstream that looked for it when they were imported."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mpcheck._cuda import standing_in
from tests.fakes.posing.gpu import Gpu, OnHost

STANDINS = Path(__file__).parent / "standins"
NAME = "openequivariance"


@contextlib.contextmanager
def stand_in() -> Iterator[Any]:
    """The stand-in is what ``import openequivariance`` finds while the block lasts, also for what upstream's modules have imported before."""
    from mace.cli import convert_e3nn_hybrid
    from mace.modules import wrapper_ops

    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == NAME}
    kept = wrapper_ops.OEQ_AVAILABLE, getattr(wrapper_ops, "oeq", None), convert_e3nn_hybrid.OEQ_AVAILABLE
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(STANDINS))
    try:
        found = importlib.import_module(NAME)
        wrapper_ops.OEQ_AVAILABLE, wrapper_ops.oeq, convert_e3nn_hybrid.OEQ_AVAILABLE = True, found, True
        yield found
    finally:
        wrapper_ops.OEQ_AVAILABLE, wrapper_ops.oeq, convert_e3nn_hybrid.OEQ_AVAILABLE = kept
        sys.path.remove(str(STANDINS))
        for name in [n for n in sys.modules if n.partition(".")[0] == NAME]:
            del sys.modules[name]
        sys.modules.update(before)


@contextlib.contextmanager
def posing() -> Iterator[Any]:
    """The stand-in on a processor that poses as a GPU."""
    with stand_in() as found, standing_in(Gpu()), OnHost():
        yield found
