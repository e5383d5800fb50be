"""Sensitivities in the cache: what comes back is what was made, made once, and anew where anything differs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from mpcheck.policy.noise.kept import flattened, kept, restored
from mpcheck.reference.spec import ReferenceSpec
from tests.unit.policy.helpers.small import calls, sensitivities

SPEC = ReferenceSpec("model", "system", code="c0de")


def test_what_comes_back_is_what_was_made() -> None:
    made = sensitivities()
    again = restored(*flattened(made))
    assert list(again.subjects.values()) == list(made.subjects.values())
    assert (again.summed, again.calls) == (made.summed, made.calls)
    for field in ("noise", "emulated", "known"):
        own, other = getattr(made, field), getattr(again, field)
        assert own.keys() == other.keys()
        assert all(torch.equal(own[k][n].nan_to_num(), other[k][n].nan_to_num()) for k in own for n in own[k])


def test_made_once_for_a_model_its_structures_and_a_backend(tmp_path: Path) -> None:
    said: list[str] = []
    first = kept(calls(), SPEC, "e3nn", tmp_path, said.append)
    assert said
    said.clear()
    second = kept(calls(), SPEC, "e3nn", tmp_path, said.append)
    assert not said and second.subjects == first.subjects
    for other, backend in ((dataclasses.replace(SPEC, system="another"), "e3nn"), (SPEC, "cueq"), (dataclasses.replace(SPEC, seed=1), "e3nn")):
        said.clear()
        kept(calls(), other, backend, tmp_path, said.append)
        assert said
