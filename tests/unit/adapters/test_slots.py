"""Slots cut tensors where their irreps and their paths lie."""

from __future__ import annotations

import torch

from mpcheck.adapters.slots import PLAIN, Slot, input_slots, output_slots, weight_groups
from mpcheck.adapters.upstream import o3


def test_groups_are_slices_of_the_last_axis_where_the_irreps_fit() -> None:
    assert Slot("2x0e+3x1o", "flat").groups((7, 11)) == [("2x0e", slice(0, 2)), ("3x1o", slice(2, 11))]
    assert Slot("3x0e+3x1o", "channels").groups((7, 3, 4)) == [("3x0e", slice(0, 1)), ("3x1o", slice(1, 4))]
    for slot, shape in ((Slot("2x0e", "flat"), (7, 3)), (PLAIN, (7, 3))):
        assert slot.groups(shape) == [("", slice(0, 3))]
    assert PLAIN.groups(()) == []


def test_slots_of_a_model_have_the_extents_of_its_modules(tiny: torch.nn.Module) -> None:
    product, contraction = tiny.get_submodule("interactions.0.conv_tp"), tiny.get_submodule("products.0.symmetric_contractions")
    assert set(input_slots(product)) == {"x", "y"} and output_slots(product)["out"].form == "flat"
    assert input_slots(contraction)["x"].form == "channels" and output_slots(contraction)["out"].form == "flat"
    for name in ("interactions.0", "interactions.1"):
        interaction = tiny.get_submodule(name)
        assert input_slots(interaction)["node_feats"].irreps == str(interaction.node_feats_irreps)
        assert input_slots(interaction)["edge_attrs"].irreps == str(interaction.edge_attrs_irreps)


def test_a_change_of_one_path_s_weights_stays_in_its_group() -> None:
    linear = o3.Linear("3x0e+2x1o", "4x0e+5x1o").double()
    groups = weight_groups(linear, "weight", linear.weight.numel())
    assert [name for name, _ in groups] == ["3x0e -> 4x0e", "2x1o -> 5x1o"]
    x = torch.randn(6, 9, dtype=torch.float64)
    before = linear(x)
    with torch.no_grad():
        linear.weight[groups[1][1]] += 1.0
    assert torch.equal(linear(x)[:, :4], before[:, :4]) and not torch.equal(linear(x)[:, 4:], before[:, 4:])
    assert weight_groups(linear, "weight", 3) == [] == weight_groups(linear, "bias", 5)
