"""Directories as the cache of references makes them, without a tensor in them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

NOW = time.time()
DAY = 86400.0
CODE = "c0de" * 6


def key(number: int) -> str:
    """As references have it."""
    return f"{number:024x}"


def fill(root: Path, name: str, size: int = 1000, days: float = 0.0, entries: int = 1, **manifest: Any) -> Path:
    """A key's directory with an index and further entries, of so many bytes in all, last used so many days ago.

    Args:
        name: below the root, such as ``v3/0123…``. manifest: fields of the index that are others than usual.
    """
    place = root / name
    place.mkdir(parents=True)
    usual = {"schema": 3, "code": CODE, "made": "2026-01-02T03:04:05+00:00", "order": ["a", "b"], "by": ["mace 0.3.16"]}
    written = {"index.json": json.dumps({**usual, **manifest}), **{f"{n}.reference.json": "{}" for n in range(entries - 1)}}
    for file, text in written.items():
        (place / file).write_text(text)
        (place / file).with_suffix(".safetensors").write_bytes(b"")
    (place / "index.lock").touch()
    (place / "index.safetensors").write_bytes(bytes(size - sum(map(len, written.values()))))
    for file in place.iterdir():
        os.utime(file, (NOW - days * DAY, NOW - days * DAY))
    return place


def listing(root: Path) -> list[str]:
    """Everything that is there."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
