"""A bench session whose model cannot be planned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._raised import Raised, attempt_unless_refused

SYSTEM, BLOCK = "builtin:water", "readouts.1.linear_1"


def test_a_bench_session_whose_model_raises_has_one_red_benchmark(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mace.modules.radial import BesselBasis

    from mpcheck.sessions.bench import BenchOptions
    from mpcheck.sessions.bench.run import BenchRun
    from mpcheck.sessions.bench.unplanned import UnplannedRun

    def broken(self: Any, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("bfloat16")

    monkeypatch.setattr(BesselBasis, "forward", broken)
    options = BenchOptions(systems=(SYSTEM,), backends=("e3nn",), formats=("float32",), cache=cache)
    found = attempt_unless_refused(lambda: BenchRun(options))
    assert isinstance(found, Raised)
    run = UnplannedRun(options, found)
    (key,) = run.every
    assert key.subject == "radial_embedding.bessel_fn"
    (finding,) = run.findings[key.id]
    assert finding.verdict == "fail" and finding.reason == "raised KeyError: 'bfloat16' in BesselBasis.broken"
