"""Upstream as it is: every property is green on both backends, on two heads, and on models of dipoles; and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mpcheck._unsupported import Unsupported
from mpcheck.checks.uses import doors, modes, outputs
from mpcheck.sessions.run import Session
from tests.unit.checks.uses.small_models import built, judged, session_of

PROPERTIES = [(check, name) for check, entries in (("modes", modes), ("outputs", outputs), ("doors", doors)) for name in entries.PROPERTIES]
KNOWN = {("outputs", "aperiodic-stress"), ("doors", "calculator"), ("doors", "calculator-compiled")}
"""Properties in which upstream's faults show."""


def _sound(run: Session, check: str, name: str, backend: str = "e3nn") -> None:
    found = judged(run, check, name, backend)
    assert {v: f.reason for v, f in found.items() if f.verdict not in ("pass", "unsupported", "known-fault")} == {}
    judged_at_all = any(f.verdict != "unsupported" for f in found.values())
    assert any(f.verdict == "known-fault" for f in found.values()) == ((check, name) in KNOWN and judged_at_all)


@pytest.mark.parametrize(("check", "name"), PROPERTIES)
@pytest.mark.parametrize("backend", ["e3nn", "cueq"])
def test_both_backends(both: Session, check: str, name: str, backend: str) -> None:
    if isinstance(reason := both.backend(backend), Unsupported):
        pytest.skip(str(reason))
    _sound(both, check, name, backend)


@pytest.mark.parametrize(("check", "name"), PROPERTIES)
def test_two_heads(heads: Session, check: str, name: str) -> None:
    _sound(heads, check, name)


@pytest.mark.parametrize("name", ["AtomicDipolesMACE", "EnergyDipolesMACE", "AtomicDielectricMACE"])
def test_models_of_dipoles(tmp_path: Path, name: str) -> None:
    run = session_of(built(name), tmp_path)
    for check, subject in PROPERTIES:
        found = judged(run, check, subject)
        allowed = ("pass", "unsupported", "known-fault", "inconclusive")
        assert {v: f.reason for v, f in found.items() if f.verdict not in allowed} == {}, (check, subject)
    assert {f.verdict for f in judged(run, "outputs", "multipoles").values()} == {"pass"}


def test_nothing_is_left_behind(run: Session) -> None:
    """Weights, their wish for a gradient, modes, and torch's settings."""
    model = run.reference_backend.model

    def state() -> object:
        tensors = [(n, t.dtype, t.requires_grad, t.detach().numpy().tobytes()) for n, t in (*model.named_parameters(), *model.named_buffers())]
        return tensors, [m.training for m in model.modules()], torch.get_default_dtype(), torch.get_rng_state().numpy().tobytes()

    before = state()
    for check, name in PROPERTIES:
        judged(run, check, name)
    assert state() == before


def test_an_energy_that_no_node_energy_holds(tmp_path: Path) -> None:
    """Upstream's energy of an embedding is in no node energy, which is known; that of a supercell is right nevertheless."""
    specs = {"total_charge": {"type": "continuous", "per": "graph", "in_dim": 1, "emb_dim": 4}}
    run = session_of(built("ScaleShiftMACE", embedding_specs=specs, use_embedding_readout=True), tmp_path)
    assert "known-fault" in {f.verdict for f in judged(run, "outputs", "parts").values()}
    assert {f.verdict for f in judged(run, "size", "supercell").values()} == {"pass"}
