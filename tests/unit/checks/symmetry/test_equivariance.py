"""The check of equivariance costs what is said and changes no state."""

from __future__ import annotations

import torch

from mpcheck.checks.symmetry import equivariance
from mpcheck.formats import FORMATS
from mpcheck.judge.context import Key
from mpcheck.sessions.run import Session
from tests import inspections
from tests.conftest import SYSTEM


def test_a_block_runs_at_most_two_and_a_half_times_per_element(session: Session) -> None:
    module = session.reference_backend.model.get_submodule("interactions.1.linear")
    calls = []
    handle = module.register_forward_hook(lambda *_: calls.append(1))
    try:
        found = inspections.run("symmetry", session, Key(equivariance.NAME, "interactions.1.linear", "e3nn", system=SYSTEM))
    finally:
        handle.remove()
    samples = sum(int(f.figures["samples"]) for f in found)  # type: ignore[arg-type]
    assert [f.verdict for f in found] == ["pass"] * len(FORMATS)
    assert len(calls) <= 2.5 * samples


def test_state_is_as_before(session: Session) -> None:
    model = session.reference_backend.model
    before = {n: t.clone() for n, t in model.state_dict().items()}
    dtype, threads, state = torch.get_default_dtype(), torch.get_num_threads(), torch.random.get_rng_state()
    for subject in ("products.0", equivariance.MODEL):
        inspections.run("symmetry", session, Key(equivariance.NAME, subject, "e3nn", system=SYSTEM))
    after = model.state_dict()
    assert all(t.dtype == after[n].dtype and torch.equal(t, after[n]) for n, t in before.items())
    assert (torch.get_default_dtype(), torch.get_num_threads()) == (dtype, threads)
    assert torch.equal(torch.random.get_rng_state(), state)
