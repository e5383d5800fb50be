"""The trainings of a run: each is done once, whatever process asks for it first, and kept until the run has ended."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

import filelock
import torch
from safetensors.torch import load_file, save_file

from mpcheck._files.io import atomic_path, is_file, read_text, write_text
from mpcheck._names import RUN_VARIABLE
from mpcheck.records.record import Record

PREFIX = "mpcheck-training-"
STALE = 86400.0
"""Seconds after which what a killed run has left is removed."""


class Runs:
    """Records of trainings by key, shared between the processes of one run and none else: what is judged may have changed by the next one."""

    def __init__(self) -> None:
        place = Path(tempfile.gettempdir())
        for old in place.glob(f"{PREFIX}*"):
            if time.time() - old.stat().st_mtime > STALE:
                shutil.rmtree(old, ignore_errors=True)
        shared = os.environ.get(RUN_VARIABLE, "")
        self.folder = place / f"{PREFIX}{getattr(os, 'getuid', int)()}-{shared or uuid.uuid4().hex}"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if not shared:
            weakref.finalize(self, _removed, self.folder, os.getpid())

    def once(self, key: str, make: Callable[[], Record]) -> Record:
        """The record of a key, made where no process has made it. Whatever ``make`` raises is raised, and made again by who asks next."""
        path = self.folder / f"{key}.json"
        with filelock.FileLock(self.folder / f"{key}.lock"):  # of a process that dies it is freed
            if not is_file(path):
                write_text(path, make().model_dump_json())
            return Record.model_validate_json(read_text(path, "record of a training", 64 << 20))

    def keep(self, key: str, state: Mapping[str, torch.Tensor]) -> None:
        """Weights of a training, beside its record."""
        with atomic_path(self.folder / f"{key}.safetensors") as place:
            save_file({name: tensor.contiguous() for name, tensor in state.items()}, place)

    def state(self, key: str) -> dict[str, torch.Tensor]:
        """Weights that were kept; none where a training had none."""
        path = self.folder / f"{key}.safetensors"
        return load_file(path) if is_file(path) else {}


def _removed(folder: Path, owner: int) -> None:
    """By the process that made it alone: forked ones end earlier."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
