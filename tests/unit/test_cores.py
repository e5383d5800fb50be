"""How many processes are asked for."""

from __future__ import annotations

import os

import pytest

from mpcheck._cores import cores, processes
from mpcheck._errors import InputError


def test_auto_is_one_for_each_core_that_this_process_may_use() -> None:
    assert processes("auto") == cores() == len(os.sched_getaffinity(0))
    assert processes("3") == 3 and processes("0") == 0


@pytest.mark.parametrize("text", ["", "-1", "1.5", "many", "٣", "99999"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--workers .*: give a whole number of processes, or auto"):
        processes(text)
