"""LoRA adapters that nobody merged are merged, and named; a merge that changes a layer is refused."""

from __future__ import annotations

import copy

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.load import load_object
from mpcheck.adapters.upstream import environment_restored, quiet
from tests.unit.adapters.loading import SAFE
from tests.unit.adapters.test_graph import FRAME

with environment_restored(SAFE), quiet():
    from mace.modules import lora
pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit"), pytest.mark.usefixtures("nothing_global_changes")]


@pytest.fixture
def adapted(tiny: torch.nn.Module) -> torch.nn.Module:
    """Adapters that do something."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        model = lora.inject_LoRAs(copy.deepcopy(tiny), rank=2, alpha=3)
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.data.normal_()
    return model


def test_adapters_are_merged_and_named(adapted: torch.nn.Module, tiny: torch.nn.Module) -> None:
    loaded = load_object(adapted)
    assert "14 LoRA adapters merged" in loaded.source["adapters"] and "node_embedding.linear" in loaded.source["adapters"]
    assert [n for n, _ in loaded.module.named_parameters()] == [n for n, _ in tiny.named_parameters()]
    graph = make_graph([FRAME[[0, 1, 2]]], ["H", "O"], 3.0)
    energies = [float(m(dict(graph), compute_force=False)["energy"][0].detach()) for m in (adapted, loaded.module, tiny)]
    assert abs(energies[0] - energies[1]) < 1e-10 < abs(energies[1] - energies[2])


def test_a_merge_that_changes_a_layer_is_refused(adapted: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_scaling(self: lora.LoRAFCLayer) -> torch.nn.Module:
        with torch.no_grad():
            self.base.weight.add_(self.compute_delta())
        return self.base

    monkeypatch.setattr(lora.LoRAFCLayer, "merge_into_base", without_scaling)
    with pytest.raises(InputError, match=r"does not keep what they compute \(interactions.0.conv_tp_weights.layer0"):
        load_object(adapted)


def test_adapters_of_somebody_else_are_named(adapted: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora, "merge_lora_weights", lambda model: model)
    with pytest.raises(InputError, match=r"has 14 LoRA adapters that are not merged .*merge them where it was trained"):
        load_object(adapted)
