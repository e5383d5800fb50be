"""What a measuring process holds still is as before afterwards."""

from __future__ import annotations

import gc

import pytest
import torch

from mpcheck._cores import processors
from mpcheck._garbage import no_collection
from mpcheck.bench.work.pinning import pinned, torch_threads


def test_a_process_is_on_the_chosen_processors_with_a_thread_each_and_afterwards_as_before() -> None:
    before = processors(), torch.get_num_threads(), gc.isenabled()
    chosen = before[0][-1:]

    @pinned(chosen)
    def work() -> None:
        assert (processors(), torch.get_num_threads(), gc.isenabled()) == (chosen, 1, False)
        raise KeyError

    with pytest.raises(KeyError):
        work()
    assert (processors(), torch.get_num_threads(), gc.isenabled()) == before


def test_without_a_choice_the_processors_stay() -> None:
    before = processors()
    with pinned([]):
        assert processors() == before and torch.get_num_threads() == 1


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with no_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_threads_are_put_back_where_something_raises() -> None:
    before = torch.get_num_threads()

    @torch_threads(before + 1)
    def work() -> None:
        assert torch.get_num_threads() == before + 1
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        work()
    assert torch.get_num_threads() == before
