"""A backend that another one computes for is degraded in every session."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.adapters.backends.cueq import BACKEND, CueqModel
from mpcheck.bench.keys import BenchKey
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.bench.work.workloads import Workloads
from mpcheck.checks.precision import CellKey
from mpcheck.records.verdicts import red
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Options, Session
from tests import inspections
from tests.conftest import SYSTEM

BLOCK = "products.0.linear"


def fails(row: Any) -> bool:
    return red(row.verdict, row.tolerated)


@pytest.fixture
def impostor(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """The whole cueq backend silently is e3nn: the converter gives back what it got."""
    options = Options(systems=(SYSTEM,), backends=("e3nn", "cueq"), formats=("float32",), blocks=(BLOCK, "interactions.1.conv_tp"), cache=cache)

    def build(self: Any, model: torch.nn.Module, device: torch.device) -> CueqModel:
        return CueqModel("cueq", model, model, "mul_ir", device)

    with monkeypatch.context() as patched:
        patched.setattr(type(BACKEND), "build", build)
        made = Session(options)
        made.backend("cueq")
        yield made


def test_a_backend_that_is_another_is_degraded_in_every_session(impostor: Session) -> None:
    for key in impostor.cells():
        found = judge_by_limits(impostor, key)
        assert found.verdict == ("degraded" if key.backend == "cueq" else "pass"), found.reason
        assert fails(found) is (key.backend == "cueq")
    asked = set()
    for suite in ("symmetry", "audit"):
        for key in inspections.keys(suite, impostor):
            if key.check not in ("equivariance", "layout", "mix", "engagement", "dtypes", "accumulation") or "cueq" not in (key.backend, key.variant):
                continue
            if not key.system or key.format == "autocast":
                continue
            for f in inspections.run(suite, impostor, key):
                assert f.verdict != "pass", f.id
                assert f.verdict != "degraded" or fails(f)
                asked |= {key.check} if f.verdict == "degraded" else set()
    assert asked >= {"equivariance", "layout", "engagement", "dtypes", "accumulation"}
    with pytest.raises(UnsupportedError) as told, Workloads(impostor).opened(BenchKey(SYSTEM, 1, BLOCK, "cueq", "float32", "forward")):
        pass
    assert told.value.why.code == "substituted"


def test_an_allowed_one_is_told_and_green(impostor: Session) -> None:
    impostor.options = replace(impostor.options, allow_degraded=(f"cueq:{BLOCK}",))
    found = {key.block: judge_by_limits(impostor, key) for key in impostor.cells() if key.backend == "cueq"}
    assert found[BLOCK].tolerated == f"--allow-degraded cueq:{BLOCK}" and not fails(found[BLOCK])
    assert fails(found["interactions.1.conv_tp"])
    with Workloads(impostor).opened(BenchKey(SYSTEM, 1, BLOCK, "cueq", "float32", "forward")) as workload:
        workload.call()


def test_a_forward_that_goes_round_its_kernel_is_degraded(session: Session) -> None:
    twin: Any = session.backend("cueq")
    layer = twin.module(session.library(SYSTEM).block(BLOCK))
    other = copy.deepcopy(layer)
    key = CellKey(SYSTEM, BLOCK, "cueq", "float64", "forward")
    with contextlib.ExitStack() as stack:
        layer.forward = other.forward
        stack.callback(lambda: layer.__dict__.pop("forward"))
        found = judge_by_limits(session, key)
    assert found.verdict == "degraded" and "was never called" in found.reason, found.reason
    assert judge_by_limits(session, key).verdict == "pass"
