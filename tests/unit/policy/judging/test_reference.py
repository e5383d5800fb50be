"""Float64 references of whole models, made in a process of their own."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.adapters.load import load_model
from mpcheck.policy.judging import reference as module
from mpcheck.policy.judging.reference import float64_here, whole_reference
from mpcheck.policy.judging.structures import structure_sets
from tests.unit.policy.judged_samples import Faulty, reference, sets, small, water

LITTLE = 400
"""Edges of the sets here: a few structures are enough."""


def test_another_process_computes_the_same_and_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its values agree with this process's; they are kept, and a damaged entry is made anew."""
    torch.save(small().module, tmp_path / "small.model")
    loaded = load_model(str(tmp_path / "small.model"))
    little = structure_sets(water(), loaded.r_max, most_edges=LITTLE)
    made = whole_reference(loaded, little, tmp_path / "cache")
    assert made.own_process and len(made.evaluation.energy) == len(little.frames)
    assert float64_here(loaded.module, loaded, little, made) == ""
    monkeypatch.setattr(module, "launched", None)  # nobody is asked again
    again = whole_reference(loaded, little, tmp_path / "cache")
    assert torch.equal(again.evaluation.forces, made.evaluation.forces) and again.noise.keys() == made.noise.keys()


def test_a_patched_float64_is_found_out() -> None:
    """1e-7 eV/Å is far beyond roundings; the model as it is has no finding."""

    def change(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
        out["forces"] = out["forces"] + 1e-7 * torch.eye(3, dtype=torch.float64)[0]

    assert "forces by 5.8e-08 eV/Å" in float64_here(Faulty(change), small(), sets(), reference())
    assert float64_here(Faulty(lambda out, graph: None), small(), sets(), reference()) == ""
    single = Faulty(lambda out, graph: None)
    single.model = copy.deepcopy(small().module).float()
    assert "is not the model's" in float64_here(single, small(), sets(), reference())


def test_another_order_of_sums_is_no_finding() -> None:
    """Edges in another order round otherwise, and no more than roundings do."""

    class Shuffled(Faulty):
        def forward(self, data: dict[str, torch.Tensor], **flags: bool) -> dict[str, Any]:
            order = torch.randperm(data["edge_index"].shape[1], generator=torch.Generator().manual_seed(0))
            moved = {n: data[n][order] for n in ("shifts", "unit_shifts")} | {"edge_index": data["edge_index"][:, order]}
            return super().forward({**data, **moved}, **flags)

    assert float64_here(Shuffled(lambda out, graph: None), small(), sets(), reference()) == ""


def test_what_another_process_cannot_load_is_one_line(tmp_path: Path) -> None:
    """A model that only this process has."""
    with pytest.raises(InputError, match="small does not exist"):
        whole_reference(small(), structure_sets(water(), small().r_max, most_edges=LITTLE), tmp_path)


def test_a_model_that_was_changed_here_is_refused(tmp_path: Path) -> None:
    """Its file holds other weights."""
    little = structure_sets(water(), small().r_max, most_edges=LITTLE)
    torch.save(small().module, tmp_path / "small.model")
    loaded = load_model(str(tmp_path / "small.model"))
    other = copy.deepcopy(loaded.module)
    next(other.parameters()).data.mul_(2.0)
    with pytest.raises(InputError, match="loads other weights"):
        whole_reference(replace(loaded, module=other), little, tmp_path)


def test_a_process_that_dies_says_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line; nothing is kept."""
    body = (
        "import sys, json\n"
        "from mpcheck.bench.launch.worker import PROTOCOL\n"
        "sys.stdin.readline(); print(json.dumps({'ok': {'protocol': PROTOCOL}}), flush=True)\n"
        "sys.stdin.readline(); print('no memory left', file=sys.stderr, flush=True); sys.exit(7)\n"
    )
    monkeypatch.setattr(module, "WORKER", ("-c", body))
    with pytest.raises(InputError, match=re.escape("exit status 7")) as told:
        whole_reference(small(), structure_sets(water(), small().r_max, most_edges=LITTLE), tmp_path)
    assert "no memory left" in str(told.value) and "\n" not in str(told.value)
    assert not list(tmp_path.rglob("*.safetensors"))
