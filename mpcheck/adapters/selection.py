"""Upstream's command that takes one head out of a model of several."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
from pathlib import Path

import torch

from mpcheck.adapters.calculator import SAFE_LOADING, written
from mpcheck.adapters.export import arguments
from mpcheck.adapters.upstream import default_dtype, environment_restored, quiet

COMMAND = "mace.cli.select_head"


def selected(model: torch.nn.Module, folder: Path, head: str) -> torch.nn.Module:
    """What ``mace_select_head`` writes of a model, loaded again.

    Args:
        folder: of the caller's, for both. head: the one to keep, by name.

    Raises:
        ImportError: upstream has no such command. BaseException: whatever it raises.
    """
    path, made = written(model, folder), folder / "selected.model"
    # under torch's own default type, as a user's shell has it; the command sets another
    with quiet(), environment_restored(SAFE_LOADING), default_dtype(torch.float32), torch.random.fork_rng(devices=[]):
        with contextlib.redirect_stdout(io.StringIO()), arguments(COMMAND, str(path), "--head_name", head, "--output_file", str(made)):
            command = importlib.import_module(COMMAND)
            os.environ[SAFE_LOADING] = "1"  # as upstream's package leaves it in a process of a user's
            command.main()
        found: torch.nn.Module = torch.load(made, map_location="cpu", weights_only=False)
    return found
