"""A variant that adds a constant where the number of atoms is odd is red; one that gives the same is green; one that cannot be had says so."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mpcheck._unsupported import Unsupported
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.policy.rules import builtin
from mpcheck.policy.speed.candidates import Candidate
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.policy import agreeing
from mpcheck.sessions.policy.work import PolicyWork


class Offset(torch.nn.Module):
    """A model with a constant more where the number of atoms is odd."""

    def __init__(self, model: torch.nn.Module, offset: float) -> None:
        super().__init__()
        self.model, self.offset = model, offset

    def forward(self, data: dict[str, torch.Tensor], *args: Any, **flags: Any) -> dict[str, Any]:
        """With the constant."""
        out: dict[str, Any] = self.model(data, *args, **flags)
        return {**out, "energy": out["energy"] + self.offset * (torch.diff(data["ptr"]) % 2)}


def found(work: PolicyWork, monkeypatch: pytest.MonkeyPatch, variant: Any) -> list[Record]:
    study = next(iter(work.studies.values()))

    def model_of(session: Any, candidate: Candidate) -> torch.nn.Module:
        plain = study.applied(builtin()[candidate.policy], candidate.backend)
        assert isinstance(plain, torch.nn.Module)
        return variant(plain) if candidate.variant else plain

    monkeypatch.setattr(agreeing, "model_of", model_of)
    planned = Planned(key="speed", check="policy-speed", subject="model", system=study.system)
    return list(agreeing.records(study, {"float32": builtin()["float32"]}, ("compile",), planned))


@pytest.mark.parametrize(("offset", "verdict"), [(0.0, "pass"), (1e-3, "fail"), (float("nan"), "fail")])
def test_an_offset_at_odd_sizes(work: PolicyWork, monkeypatch: pytest.MonkeyPatch, offset: float, verdict: str) -> None:
    (record,) = found(work, monkeypatch, lambda plain: Offset(plain, offset))
    assert (record.verdict, record.variant) == (verdict, "compile-agrees")
    assert (verdict == "pass") or "an odd number" in record.reason


def test_a_variant_that_cannot_be_had(work: PolicyWork, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(plain: torch.nn.Module) -> torch.nn.Module:
        raise UnsupportedError(Unsupported("no-device", "no CUDA device", "cuda"))

    (record,) = found(work, monkeypatch, missing)
    assert (record.verdict, record.reason) == ("unsupported", "no CUDA device")


def test_a_variant_that_raises(work: PolicyWork, monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(plain: torch.nn.Module) -> torch.nn.Module:
        raise RuntimeError("dynamo gave up")

    (record,) = found(work, monkeypatch, raising)
    assert record.verdict == "fail"
    assert "dynamo gave up" in record.reason
