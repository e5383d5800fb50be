"""What the tests of the catalogue and of its twins assert alike."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._errors import InputError


def refused_in_one_line(load: Callable[[Path], Any], file: Path, broken: Path, old: str, new: str, says: str) -> None:
    """``load`` refuses the file with ``old`` replaced by ``new``, written to ``broken``, in one line with the path and ``says``."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    broken.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load(broken)
    assert says in str(caught.value) and str(broken) in str(caught.value) and "\n" not in str(caught.value)


@contextlib.contextmanager
def torch_left_as_it_was() -> Iterator[None]:
    """Default dtype, autocast and the state of the random generator are afterwards what they were."""
    before = torch.get_default_dtype(), torch.is_autocast_enabled("cpu"), torch.get_rng_state()
    yield
    assert (torch.get_default_dtype(), torch.is_autocast_enabled("cpu")) == before[:2]
    assert torch.equal(torch.get_rng_state(), before[2])
