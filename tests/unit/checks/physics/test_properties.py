"""Every property is green on sound upstream, and red or unsupported where it cannot be asked."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mpcheck._unsupported import no_device
from mpcheck.checks.audit import reductions
from mpcheck.checks.physics import properties as physics
from mpcheck.judge.context import Key
from mpcheck.sessions.run import Session
from tests import inspections
from tests.conftest import SYSTEM
from tests.faults.planted import replaced_attribute
from tests.unit.checks.physics.judging import judged


def test_keys(session: Session) -> None:
    keys = physics.INSPECTION.keys(session)
    assert len({k.id for k in keys}) == len(keys)
    assert {k.subject for k in keys} == set(physics.PROPERTIES) - {"torque", "heads"}, "water is periodic: no torque; one head"
    assert [k.backend for k in keys if k.subject == "indices"] == ["e3nn"], "one gather for all backends"
    assert all(not k.system for k in keys if physics.PROPERTIES[k.subject].systems == "own")


def test_an_error_of_upstream_is_a_failure(session: Session) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Traceback of TorchScript\nno kernel for this")

    key = Key("physics", "node-energies", "e3nn", "float64", SYSTEM)
    with replaced_attribute(session.reference_backend.model, "forward", broken):
        (found,) = inspections.run("audit", session, key)
    assert found.verdict == "fail"
    assert found.reason == "raised RuntimeError: no kernel for this in broken"


def test_a_missing_backend_is_unsupported(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "backend", lambda name: no_device())
    for key in physics.INSPECTION.keys(session):
        (found,) = inspections.run("audit", session, key)
        assert (found.verdict, found.reason) == ("unsupported", "no CUDA device")
    for key in reductions.keys(session):
        (found,) = inspections.run("audit", session, key)
        assert (found.verdict, found.reason) == ("unsupported", "no CUDA device")


def test_every_property_of_both_backends_is_sound(session: Session) -> None:
    """Cheap ones; the audit session runs all."""
    cheap = ("node-energies", "net-force", "batch", "empty", "finite-difference")
    keys = [key for key in physics.INSPECTION.keys(session) if key.subject in cheap]
    assert {(key.subject, key.backend) for key in keys} == {(name, backend) for name in cheap for backend in ("e3nn", "cueq")}
    for key in keys:
        records = inspections.run("audit", session, key)
        assert records and {r.id: r.reason for r in records if r.verdict != "pass"} == {}


@pytest.mark.parametrize("name", ["strided-model", "repeat", "directions", "second-derivatives"])
def test_sound_upstream_is_green(clean: Any, name: str) -> None:
    assert {f.id: f.reason for f in clean[name].values() if f.verdict != "pass"} == {}


def test_nothing_is_left_behind(run: Session, model: torch.nn.Module, clean: Any) -> None:
    """Parameters that were displaced are what they were, bit by bit, and so are torch's settings."""
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    settings = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_rng_state()
    for name in ("directions", "second-derivatives", "strided-model"):
        judged(run, name)
    assert all(torch.equal(p, before[n]) and p.dtype == torch.float64 and p.grad is None for n, p in model.named_parameters())
    assert (torch.get_default_dtype(), torch.is_grad_enabled()) == settings[:2]
    assert torch.equal(torch.get_rng_state(), settings[2])
