"""Stored constants have the types that a format gives them."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.checks.audit.dtypes import declared, state_faults
from mpcheck.formats import FORMATS
from mpcheck.sessions.run import Session

BF16 = FORMATS["bfloat16"]


def test_pinned_constants_must_have_the_math_type(session: Session) -> None:
    backend: Any = session.backend("cueq")
    block = session.library("builtin:water").block("interactions.0.conv_tp")
    assert declared(backend, block, BF16) == {torch.bfloat16, torch.float32}
    with backend.prepared(block, BF16):
        assert state_faults(backend, block, BF16) == []
        faults = state_faults(backend, block, FORMATS["float64"])
    assert faults and all(f.startswith("buffer ") and f.endswith("is float32, not float64") for f in faults)
