"""How sums are kept is judged against what is declared of them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from mpcheck.checks.audit import accumulation
from mpcheck.checks.audit.accumulation import APART, AccumulationVerdict
from mpcheck.checks.audit.partial_sums import classify
from mpcheck.checks.audit.rounding import Disagreement
from mpcheck.formats import FORMATS, WIDE
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults.planted import sequential_scatter

BF16 = FORMATS["bfloat16"]
NATIVE = 2.0**-9


@pytest.fixture
def verdict(session: Session) -> AccumulationVerdict:
    block = session.library(SYSTEM).block("interactions.0.scatter")
    return AccumulationVerdict(block, BF16, {"inner": "wide", "scatter": "native", "gather": "wide"})


def test_native_sums_are_a_fault_only_where_wide_ones_are_declared(verdict: AccumulationVerdict) -> None:
    verdict.sums("index_add", "scatter", torch.bfloat16, NATIVE, "over 9 terms")
    assert not verdict.faults and verdict.ratio == 0.0 and verdict.accumulation == "native"
    verdict.sums("mm", "inner", torch.bfloat16, WIDE, "over 9 terms")
    assert not verdict.faults and 0 < verdict.ratio < 1 and verdict.accumulation == "mixed"
    verdict.sums("mm", "inner", torch.bfloat16, NATIVE, "over 9 terms")
    assert "interactions.0.scatter: inner sums of mm over 9 terms are kept with roundoff 2.0e-03" in verdict.faults[0]
    assert verdict.ratio > 1 and verdict.kept == {"scatter": "native", "inner": "native"}


def test_one_wide_measurement_does_not_take_back_a_native_one(verdict: AccumulationVerdict) -> None:
    verdict.sums("mm", "inner", torch.bfloat16, NATIVE, "in the run")
    verdict.sums("mm", "inner", torch.bfloat16, WIDE, "crafted")
    assert verdict.kept["inner"] == "native" and len(verdict.faults) == 1


@pytest.mark.parametrize(("ratio", "faults"), [(0.5 * APART, 0), (1.01 * APART, 1), (math.nan, 1)])
def test_outputs_apart_from_single_roundings(verdict: AccumulationVerdict, ratio: float, faults: int) -> None:
    verdict.emulation(Disagreement(ratio, 0.1, "out"))
    assert len(verdict.faults) == faults and (verdict.ratio > 1 or math.isnan(verdict.ratio)) is bool(faults)


def test_only_formats_below_float64_are_asked(session: Session) -> None:
    formats = {key.format for key in accumulation.keys(session)}
    assert formats == {name for name, fmt in FORMATS.items() if fmt.storage != torch.float64}


def test_the_code_of_a_scatter_is_swept_and_a_layers_is_not(session: Session) -> None:
    library, backend = session.library(SYSTEM), session.reference_backend
    scatter = library.get("interactions.0.scatter")
    sound: Any = accumulation.step_sweep(backend, scatter, BF16)
    with sequential_scatter(torch.bfloat16):
        faulty: Any = accumulation.step_sweep(backend, scatter, BF16)
    assert (classify(sound.roundoff, BF16), classify(faulty.roundoff, BF16)) == ("wide", "native") and faulty.stuck == 512
    assert accumulation.step_sweep(backend, library.get("interactions.0.linear"), BF16) is None
