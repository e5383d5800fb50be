"""Errors of any policy for a model and its structures, predicted and measured: what a search is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mpcheck._errors import InputError
from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt_unless_refused
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.blocks import Block
from mpcheck.policy.applied import apply
from mpcheck.policy.assignment import assigned
from mpcheck.policy.batches import evaluate_all
from mpcheck.policy.force_tests import force_tests
from mpcheck.policy.metrics import set_errors
from mpcheck.policy.prediction import predicted
from mpcheck.policy.reference import WholeReference
from mpcheck.policy.rules import Policy
from mpcheck.policy.search import Errors
from mpcheck.policy.sensitivity import Sensitivity
from mpcheck.policy.structures import JUDGED, Sets
from mpcheck.sessions.run import Session


def expected(blocks: Sequence[Block], sensitivity: Sensitivity, device: str = "cpu") -> Errors:
    """Predicted RMS errors of policies: of energies over structures, meV/atom, and of all components of forces, meV/Å.

    NaN of a policy that cannot be assigned to these blocks.
    """

    def errors(policy: Policy) -> tuple[float, float]:
        try:
            told = predicted(sensitivity, policy, assigned(policy, blocks), device)
        except InputError:
            return math.nan, math.nan
        return told.energy_rms, told.force_rms

    return errors


def end_to_end(session: Session, sets: Sets, reference: WholeReference, backend: str = REFERENCE_BACKEND) -> Errors:
    """Measured RMS errors of policies on the user's structures, their copies and supercells, on the session's device.

    NaN where a value is no number. What the policy's model raises becomes an InputError, and so does a backend that is not here.
    """
    places = sets.places(*JUDGED)
    tests = force_tests(sets, reference.evaluation)

    def errors(policy: Policy) -> tuple[float, float]:
        held: Any = session.backend(backend)
        if isinstance(held, Unsupported):
            raise InputError(f"{backend}: {held}")
        model = apply(held.model, policy, session.device, session.model.module)
        found = attempt_unless_refused(lambda: evaluate_all(model, reference.every, session.device))
        if isinstance(found, Raised):
            raise InputError(f"policy {policy.name} raised {found.text}") from found.error
        told = set_errors(found, reference.evaluation, sets, places, tests)
        energy, force = told.energy_meV_per_atom.rms, told.force_rms_meV_per_A
        return math.nan if energy is None else energy, math.nan if force is None else force

    return errors
