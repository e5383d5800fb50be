"""The whole model under rotations: what each property becomes, and an error in one of them is that one's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.facts.rotation import Turn
from mpcheck.checks.symmetry.equivariance import structure_of
from mpcheck.checks.symmetry.group import Shift, Shuffle
from mpcheck.checks.symmetry.model_symmetry import WholeSubject, learned
from mpcheck.checks.symmetry.moved import whole_of
from mpcheck.formats import FLOAT64
from mpcheck.judge.tolerances import limits_for
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM

TURN = Turn((0.8, 0.3, -0.4, 0.35))


@pytest.fixture(scope="module")
def subject(session: Session) -> Iterator[WholeSubject]:
    backend = session.reference_backend
    limits = limits_for(session.tolerances, "model", "e3nn", FLOAT64.name, "forward")
    whole = whole_of(session, SYSTEM, structure_of(session, SYSTEM))
    with backend.prepared(WHOLE, FLOAT64):
        yield WholeSubject(whole, backend, FLOAT64, limits, learned(session, SYSTEM))


def test_what_each_property_must_become(subject: WholeSubject) -> None:
    forces = subject.outputs["forces"]
    assert torch.allclose(subject.expected("forces", forces, TURN).norm(dim=1), forces.norm(dim=1))
    assert torch.equal(subject.expected("energy", subject.outputs["energy"], TURN), subject.outputs["energy"])
    assert torch.equal(subject.expected("forces", forces, Shift((1.0, 0, 0))), forces)
    swapped = subject.expected("forces", forces, Shuffle(True, False, swap=(0, 1)))
    assert torch.equal(swapped[0], forces[1]) and torch.equal(swapped[1], forces[0]) and torch.equal(swapped[2:], forces[2:])


def test_a_sound_model_follows_and_an_error_of_one_property_is_its_own(subject: WholeSubject) -> None:
    assert not [d for d in subject.compare(TURN) if d.fails]
    kept = subject.outputs["forces"]
    subject.outputs["forces"] = kept * (1 + 1e-10)
    try:
        failed = {d.irrep for d in subject.compare(TURN) if d.fails}
    finally:
        subject.outputs["forces"] = kept
    assert failed == {"forces 1x1o"}
