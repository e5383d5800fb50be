"""Where an operation comes from: the submodule that calls it, and the line of the judged code; of a backward operation, of the forward one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from mpcheck._raised import OWN

HARNESS = frozenset({"mpcheck.judge.replay", "mpcheck.adapters.execution"})
"""Modules that call a block: what lies beyond their frames is not the block's."""


@dataclass(frozen=True)
class Place:
    """Where an operation is called.

    Attributes:
        module: path of the innermost submodule, from the model; empty outside of every one.
        line: ``mace/modules/blocks.py:123``; empty where no frame is the judged code's.
        inside: whether a block calls it, not the code that passes its arguments.
        backward: whether autograd calls it; its place is then that of the forward operation, unless its gradient is written by hand.
    """

    module: str = ""
    line: str = ""
    inside: bool = False
    backward: bool = False

    @property
    def text(self) -> str:
        """In words."""
        told = " at ".join(filter(None, [self.module, self.line])) or "the block's own call"
        return f"backward of {told}" if self.backward else told


def _line(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    parts = path.parts
    if "site-packages" in parts:
        path = Path(*parts[len(parts) - parts[::-1].index("site-packages") :])
    elif path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"{path.as_posix()}:{frame.f_lineno}"


class Places:
    """Finds places from the stack, and remembers forward ones for autograd's nodes."""

    def __init__(self, names: Mapping[int, str]) -> None:
        """Args:
        names: of submodules, by the ``id`` of the module.
        """
        self.names = names
        self.forward: dict[int, Place] = {}  # by autograd's sequence number: that of the node which an operation makes

    def here(self) -> Place:
        """Of the operation that is being dispatched."""
        node: Any = torch._C._current_autograd_node()
        found = self._found(sys._getframe(1), node is not None)
        if node is None:
            if torch.is_grad_enabled():  # a node is made, and numbered, before its operation is dispatched; later ones may make none
                self.forward.setdefault(torch._C._autograd._get_sequence_nr() - 1, found)
            return found
        if found.line:
            return found
        known = self.forward.get(node._sequence_nr(), Place())
        return Place(known.module, known.line, True, True)

    def _found(self, frame: FrameType | None, backward: bool) -> Place:
        module = line = adapter = ""
        inside = backward
        while frame is not None:
            name = str(frame.f_globals.get("__name__", ""))
            if name in HARNESS:
                break
            root = name.partition(".")[0]
            if not line and root not in OWN and not frame.f_code.co_filename.startswith("<"):
                line = _line(frame)
            if name.startswith("mpcheck.adapters."):
                adapter = adapter or _line(frame)
                inside = inside or name.startswith("mpcheck.adapters.backends.")
            if not module and frame.f_code.co_varnames[:1] == ("self",):
                module = self.names.get(id(frame.f_locals.get("self")), "")
            frame = frame.f_back
        inside = inside or bool(line or module)
        return Place(module, line or ("" if backward else adapter), inside, backward)
