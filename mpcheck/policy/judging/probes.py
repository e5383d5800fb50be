"""All structures that a policy is judged on: the user's, what is made of them, scans of two atoms, displacements for second derivatives."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms

from mpcheck.adapters.load import LoadedModel
from mpcheck.policy.judging.diatomics import diatomic_set
from mpcheck.policy.judging.second_derivatives import displaced_set
from mpcheck.policy.judging.structures import MOST_EDGES, SHARE, Sets, pieces, structure_sets


def judged_sets(
    frames: Sequence[Atoms], model: LoadedModel, seed: int = 0, most_edges: float = MOST_EDGES, diatomics: bool = True, second: bool = True
) -> Sets:
    """The sets of a user's frames, with what else is asked for.

    Args:
        frames: as :func:`mpcheck.systems.resolve.resolve_system` gives them. seed, most_edges: see
            :func:`mpcheck.policy.judging.structures.structure_sets`. diatomics, second: with scans of two atoms; with second derivatives.
    """
    made = structure_sets(frames, model.r_max, seed, most_edges)
    own, notes = made.get("own").frames, made.notes
    more = []
    for wanted, (found, said) in (
        (diatomics, diatomic_set(own, model.elements, model.r_max)),
        (second, displaced_set(pieces(own, model.r_max, most_edges / SHARE), model.r_max, seed)),
    ):
        if wanted:
            more += [found] if found.frames else []
            notes += said
    return Sets((*made.sets, *more), notes)
