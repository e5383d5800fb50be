"""A device that a model is put on: named rightly, and there."""

from __future__ import annotations

import torch

from mpcheck._cuda import CUDA
from mpcheck._errors import InputError
from mpcheck.sessions.run import parse_device


def present(device: str | torch.device) -> torch.device:
    """A device that can be used now.

    Raises:
        InputError: an unknown name, CUDA where there is none, or a number that no device has.
    """
    where = parse_device(str(device))
    if where.type != "cuda":
        return where
    count = CUDA.device_count() if CUDA.is_available() else 0
    if not count:
        raise InputError(f"device {str(device)!r}: this machine has no CUDA device that torch can use; choose cpu")
    if where.index is not None and where.index >= count:
        raise InputError(f"device {str(device)!r}: there are {count} CUDA devices here, the last is cuda:{count - 1}")
    return where
