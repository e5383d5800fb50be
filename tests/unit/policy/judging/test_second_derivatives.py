"""Hessian-vector products under a policy."""

from __future__ import annotations

import copy
from functools import cache

import pytest
import torch
from ase import Atoms

from mpcheck.policy.judging.batches import batches, evaluate_all, graph_of
from mpcheck.policy.judging.probes import judged_sets
from mpcheck.policy.judging.reference import WholeReference, whole_reference
from mpcheck.policy.judging.second_derivatives import PHONON, STEPS, SecondDerivatives, displaced_set, second_derivatives
from mpcheck.policy.judging.structures import Sets
from tests.unit.policy.judged_samples import drop, small

LITTLE = 400


@cache
def displaced() -> Sets:
    """A molecule, little else."""
    return judged_sets([drop()], small(), most_edges=LITTLE, diatomics=False)


@cache
def reference() -> WholeReference:
    """In float64."""
    return whole_reference(small(), displaced(), in_process=True)


def under(dtype: torch.dtype) -> SecondDerivatives:
    """Of the model cast as a whole."""
    found = evaluate_all(copy.deepcopy(small().module).to(dtype), tuple(batches(displaced(), small())))
    return second_derivatives(found, reference().evaluation, displaced())


def test_the_exact_product_is_the_hessian_times_the_direction() -> None:
    """Against upstream's own Hessian, to the differences' truncation."""
    exact = second_derivatives(reference().evaluation, reference().evaluation, displaced())
    graph, _ = graph_of([drop()], small())
    hessian = small().module({k: v.clone() for k, v in graph.items()}, compute_hessian=True)["hessian"].reshape(9, 9)
    frames = displaced().get("displaced").frames
    squares = []
    for number in range(2):
        ahead, behind = (torch.from_numpy(frames[number * 2 * len(STEPS) + i].positions) for i in (0, 1))
        squares.append((hessian @ ((ahead - behind) / (2 * STEPS[0])).reshape(9)).square().mean())
    assert exact.float64_eV_per_A2 == pytest.approx(float(torch.stack(squares).mean().sqrt()), rel=1e-4)
    assert exact.relative_error is not None and exact.relative_error < 1e-5


def test_the_step_grows_with_the_roundings() -> None:
    """Float64 takes the smallest, bfloat16 a large one; errors are in that order, and small steps are worse for the narrow one."""
    wide, single, narrow = (under(t) for t in (torch.float64, torch.float32, torch.bfloat16))
    assert wide.step_A == STEPS[0] <= (single.step_A or 0.0) < (narrow.step_A or 0.0)
    assert (wide.relative_error or 0.0) < (single.relative_error or 0.0) < (narrow.relative_error or 0.0)
    assert (narrow.step_A or 0.0) > PHONON and (narrow.phonon_relative_error or 0.0) > (narrow.relative_error or 0.0)


def test_forces_that_are_no_numbers_leave_no_figure() -> None:
    """Nor does a structure of one atom."""
    found = copy.deepcopy(reference().evaluation)
    found.forces[-1] = torch.inf
    assert second_derivatives(found, reference().evaluation, displaced()).absent
    none, notes = displaced_set([Atoms("O")], 4.0)
    assert not none.frames and "two atoms" in notes[0]
