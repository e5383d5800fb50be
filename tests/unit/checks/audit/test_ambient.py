"""Flags of the process that lower precision, and how far autocast reaches."""

from __future__ import annotations

import pytest
import torch

from mpcheck.checks.audit.ambient import autocast_finding, process_finding
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM

CPU = torch.device("cpu")


def test_torchs_own_defaults_pass() -> None:
    record = process_finding("dtypes", CPU)
    assert record.verdict == "pass" and record.figures["default_dtype"] == "float32"


def test_each_flag_that_lowers_precision_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_default_dtype(torch.bfloat16)
    try:
        assert "the default dtype is bfloat16" in process_finding("dtypes", CPU).reason
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        record = process_finding("dtypes", CPU)
        assert record.verdict == "fail" and record.reason == "autocast is on for cpu"
        assert process_finding("dtypes", torch.device("cuda")).verdict == "pass", "autocast of another device"
    assert "changed process-wide state: the seed" in process_finding("dtypes", CPU, ["the seed"]).reason


def test_autocast_reaches_the_products_of_a_layer_and_there_are_none_in_a_sum(session: Session) -> None:
    library, backend = session.library(SYSTEM), session.reference_backend
    layer = autocast_finding("dtypes", SYSTEM, backend, library.get("interactions.0.linear"))
    assert layer.verdict == "pass" and layer.figures["products"] > 0 and "matrix products" in layer.reason
    total = autocast_finding("dtypes", SYSTEM, backend, library.get("energy_sum"))
    assert (total.verdict, total.reason, total.figures["products"]) == ("pass", "no matrix product", 0.0)
