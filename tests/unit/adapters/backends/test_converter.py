"""What a converter logs is kept, and the root logger is put back."""

from __future__ import annotations

import logging

import torch

from mpcheck.adapters.backends.converter import complaints, logged, same_parameters, same_state


def test_logged_collects_debug_messages_and_puts_the_root_logger_back() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, root.manager.disable)
    with logged() as records:
        logging.debug("Shape mismatch for key x")
    assert [r.getMessage() for r in records] == ["Shape mismatch for key x"]
    assert (list(root.handlers), root.level, root.manager.disable) == before


def test_complaints_are_warnings_and_skipped_keys() -> None:
    with logged() as records:
        logging.debug("converted")
        logging.debug("Shape Mismatch for key x")
        logging.warning("left out y")
    assert complaints(records) == ["Shape Mismatch for key x", "left out y"]


def test_what_must_stay_does_within_rounding_or_is_named() -> None:
    source, twin = torch.nn.BatchNorm1d(2).double(), torch.nn.BatchNorm1d(2).double()
    assert same_state(source, twin).failures == [] == same_parameters(source, twin).failures
    with torch.no_grad():
        twin.weight[0] += 2.0**-52  # a factor put in and taken out again, say
        twin.running_mean[1] = -0.0
    assert same_state(source, twin).failures == [] == same_parameters(source, twin).failures and same_state(source, twin).ratio == 0.5
    with torch.no_grad():
        twin.weight[1] = 1 + 2.0**-30
        twin.running_mean[0] = 2.0**-60
        twin.num_batches_tracked += 1
    assert [f.partition(":")[0] for f in same_state(source, twin).failures] == ["weight", "running_mean", "num_batches_tracked"]
    assert [f.partition(":")[0] for f in same_parameters(source, twin).failures] == ["weight"]
    allowed = {"weight": torch.full((2,), 2.0**-29, dtype=torch.float64)}
    assert [f.partition(":")[0] for f in same_state(source, twin, allowed, ()).failures] == ["running_mean", "num_batches_tracked"]
