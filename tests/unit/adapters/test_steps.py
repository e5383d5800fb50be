"""Steps that are no modules: upstream's own functions, seen while they are watched, and put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mpcheck.adapters.steps import edge_vectors, recorded, scatter, step_block, step_kind
from mpcheck.adapters.upstream import mace

PLACES = [(mace.modules.utils, "get_edge_vectors_and_lengths"), (mace.modules.blocks, "scatter_sum"), (mace.modules.models, "scatter_sum")]


def test_calls_are_handed_on_with_their_names_and_functions_put_back() -> None:
    originals = [getattr(owner, name) for owner, name in PLACES]
    seen: list[tuple[str, set[str]]] = []

    def record(kind: str, arguments: dict[str, Any], call: Callable[[], Any]) -> Any:
        seen.append((kind, set(arguments)))
        return call()

    rows, index = torch.ones(4, 2), torch.tensor([0, 1, 1, 2])
    with recorded(record):
        assert torch.equal(scatter(rows, index, 0, 3), torch.tensor([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]]))
        edge_vectors(torch.randn(3, 3), torch.tensor([[0, 1], [1, 2]]), torch.zeros(2, 3))
        mace.modules.models.scatter_sum(rows, index, dim=0)
    assert seen == [
        ("scatter", {"src", "index", "dim", "dim_size"}),
        ("edge_vectors", {"positions", "edge_index", "shifts"}),
        ("energy_sum", {"src", "index", "dim"}),
    ]
    with pytest.raises(ZeroDivisionError), recorded(record):
        raise ZeroDivisionError
    assert [getattr(owner, name) for owner, name in PLACES] == originals


def test_a_changed_function_of_upstream_is_what_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mace.modules.blocks, "scatter_sum", lambda **_: torch.full((1,), 7.0))
    assert scatter(torch.ones(2, 1), torch.tensor([0, 0]), 0, 1).item() == 7.0


def test_kinds_are_told_from_names() -> None:
    assert step_kind("interactions.0.scatter@2") == "scatter" and step_kind("edge_vectors") == "edge_vectors"
    assert step_block("edge_vectors").outputs["out.0"].irreps == "1x1o"
    assert step_block("energy_sum").role == "energy reduction over atoms"
