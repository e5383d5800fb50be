"""mpcheck: numerical regression and CI suite for MACE models at every number format and backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mpcheck.recording import capture as capture


def __getattr__(name: str) -> Any:
    """``mpcheck.capture``, imported when it is asked for: importing mpcheck alone imports nothing else."""
    if name != "capture":
        raise AttributeError(f"module 'mpcheck' has no attribute {name!r}")
    from mpcheck.recording import capture

    return capture
