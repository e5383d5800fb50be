"""Models and structures as users name them: whether what a name stands for is there, found out without reading it."""

from __future__ import annotations

import re
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.io import is_file, is_there, refuse_irregular, refuse_unwritable
from mpcheck._text import near

FOUNDATION = ("mace_mp", "mace_off")
"""Families of published models that upstream's loaders know."""
ARCHITECTURE = re.compile(r"(.*?\.ya?ml)(?:\+(.*))?", re.DOTALL)
"""``FILE.yaml[+WEIGHTS]``."""


def refuse_missing_model(spec: str) -> None:
    """Refuse the name of a file that is not there; what other names stand for is found out when it is loaded.

    Raises:
        InputError: neither a file nor a name of another kind.
    """
    refuse_unwritable(spec, "model")
    kind, colon, rest = spec.partition(":")
    if (colon and kind in ("builtin", "recipe")) or (kind in FOUNDATION and rest):
        return
    architecture = ARCHITECTURE.fullmatch(spec)
    path = Path(architecture[1] if architecture else spec)
    if is_there(path):
        refuse_irregular(path, "model")
        return
    raise InputError(
        f"model {spec} does not exist{_beside(path)}; give a .model file, an architecture .yaml, builtin:hco, "
        "recipe:canonical, recipe:odd, mace_mp:NAME or mace_off:NAME"
    )


def structure_file(spec: str) -> tuple[Path, str]:
    """The file of ``FILE[@SLICE]``, and the slice; empty where none is named.

    Raises:
        InputError: no such file.
    """
    refuse_unwritable(spec, "system")
    path_text, at, selection = spec.rpartition("@")
    if not at or is_file(Path(spec)):  # an @ may be part of the name
        path_text, selection = spec, ""
    path = Path(path_text)
    if path_text and is_there(path):
        refuse_irregular(path, "system file")
    if not is_file(path):
        raise InputError(f"system file {path} does not exist{_beside(path)}; give a structure file or builtin:NAME")
    return path, selection


def _beside(path: Path) -> str:
    """The file in the same directory that a mistyped name may mean."""
    try:
        found = near(path.name, [entry.name for entry in path.parent.iterdir() if entry.is_file()])
    except (OSError, ValueError):
        return ""
    return found
