"""Parameters and tables as a format stores them."""

from __future__ import annotations

import torch

from mpcheck.formats import FLOAT16
from mpcheck.judge.operations.places import Places
from mpcheck.judge.operations.stored import Stored
from mpcheck.judge.operations.watch import OperationWatch
from mpcheck.judge.tolerances import limits_for, load_tolerances
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults import planted


def test_what_is_rounded_twice_is_named(session: Session) -> None:
    backend, block = session.reference_backend, session.library(SYSTEM).block("interactions.1.linear")
    limits = limits_for(load_tolerances(), block.name, "e3nn", FLOAT16.name, "forward")

    def wrong() -> list[str]:
        stored, watch = Stored(backend, block, FLOAT16), OperationWatch(FLOAT16, limits, Places({}))
        with backend.prepared(block, FLOAT16), stored.watched(watch):
            (weight,) = (p for n, p in backend.parameters(block).items() if n == "weight")
            low = weight.detach()
        exact = backend.parameters(block)["weight"].detach()
        assert torch.equal(watch.shadows.get(low), exact)
        assert all(w.largest > 1 for w in stored.wrong)
        return [w.name for w in stored.wrong]

    assert wrong() == []
    with planted.weights_through(torch.bfloat16, torch.float16):
        assert wrong() == ["weight"]
    assert wrong() == []
