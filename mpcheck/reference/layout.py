"""Where references are kept: ``ROOT/vN/KEY/NAME.safetensors`` with ``NAME.json``. Nothing here imports torch."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import platformdirs

SCHEMA = 3
GATES = "gate"
"""Below it lie the references that gates keep of base: for each digest of what base imports, a directory that is laid out as a cache is."""
USE = "use.lock"
"""Of a key: held together by all processes that use its entries."""


def default_cache() -> Path:
    """``MPCHECK_CACHE_DIR``, or the platform's cache directory."""
    chosen = os.environ.get("MPCHECK_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("mpcheck"))


def place_of(root: Path, key: str) -> Path:
    """The directory of one key's entries."""
    return root / f"v{SCHEMA}" / key


def touch(tensors: Path) -> None:
    """Note that an entry is used, as the time of its tensors; that of its manifest is when it was made, and must stay.

    On a read-only disk, or in another user's cache, it cannot be noted, which harms nothing.
    """
    with contextlib.suppress(OSError):
        os.utime(tensors)
