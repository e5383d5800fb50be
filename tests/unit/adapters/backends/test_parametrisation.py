"""The map between both parametrisations of a symmetric contraction, and of its gradients."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.backends.cueq import CueqModel
from mpcheck.adapters.backends.parametrisation import OWN, converted, own_gradients, path_parameters, takes_reduced, weight_map

CONTRACTION = "products.0.symmetric_contractions"


def test_the_twin_s_weight_is_the_projected_one(tiny: torch.nn.Module, tiny_cueq: CueqModel) -> None:
    module = tiny.get_submodule(CONTRACTION)
    own = dict(module.named_parameters())
    assert set(path_parameters(module)) == set(own)
    known = weight_map(module, reduced=True)
    assert known is not None and not known.same and list(known.names) == path_parameters(module)
    twin = tiny_cueq.model.get_submodule(CONTRACTION).get_parameter("weight")
    assert torch.allclose(known.applied(known.stacked(own)), twin, rtol=1e-13, atol=1e-14)


def test_gradients_go_the_other_way(tiny: torch.nn.Module) -> None:
    """Of any function of ``w P``: the one by ``w``, mapped, is the one by ``w P``."""
    module = tiny.get_submodule(CONTRACTION)
    names, known = path_parameters(module), weight_map(module, reduced=True)
    assert known is not None
    own = [dict(module.named_parameters())[n].detach().requires_grad_() for n in names]
    mapped = known.applied(torch.cat(own, 1))
    wanted, *gradients = torch.autograd.grad(mapped.sin().square().sum(), [mapped, *own])
    (found,) = own_gradients(module, dict(zip(names, gradients, strict=True)), reduced=True).items()
    assert found[0] == f"{OWN}weight"
    assert torch.allclose(found[1], wanted, rtol=1e-10, atol=1e-12)
    assert own_gradients(module, {names[0]: gradients[0]}, reduced=True) == {}, "half of them say nothing"


@pytest.mark.parametrize(("block", "maps"), [(CONTRACTION, True), ("products.0", True), ("products.0.linear", False)])
def test_blocks_with_a_contraction_are_converted(tiny: torch.nn.Module, block: str, maps: bool) -> None:
    assert takes_reduced(tiny) and converted(tiny.get_submodule(block), takes_reduced(tiny)) is maps
    assert not converted(tiny.get_submodule(block), reduced=False)
