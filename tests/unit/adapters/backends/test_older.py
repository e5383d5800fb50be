"""Models of older releases and of all Clebsch-Gordan paths: the twin is the same model, and nothing that is only older is a fault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from ase.build import molecule

from mpcheck.adapters.backends.conversion import to_cueq
from mpcheck.adapters.backends.cueq import BACKEND, BACKEND_MUL_IR, CueqModel
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.backends.layout import differing
from mpcheck.adapters.backends.mixed import MixedModel, at_boundary, mismatches
from mpcheck.adapters.backends.parametrisation import own_gradients, takes_reduced, weight_map
from mpcheck.adapters.blocks import leaf_modules, module_blocks
from mpcheck.adapters.ghosts import run_with_ghosts, with_ghosts
from mpcheck.adapters.graph import make_graph
from mpcheck.checks.symmetry.block_twins import distances
from mpcheck.judge.tolerances import load_tolerances
from tests.unit.adapters.older import as_of_0_3_8, built

CPU = torch.device("cpu")
LINEAR = "interactions.1.linear"
GRAPH = make_graph([molecule("H2O")], ["H", "O"], 3.0)


@pytest.fixture(scope="module")
def old() -> torch.nn.Module:
    return as_of_0_3_8(built({"max_ell": 2, "distance_transform": "Agnesi", "pair_repulsion": True}, use_reduced_cg=False))


@pytest.fixture(scope="module")
def twin(old: torch.nn.Module) -> CueqModel:
    return BACKEND.build(old, CPU)


def test_its_linear_layer_is_what_this_is_about(old: torch.nn.Module, twin: CueqModel) -> None:
    block = next(b for b in module_blocks(old) if b.name == LINEAR)
    merged, cut = block.input_slot("features").irreps, twin.here(block).input_slot("features").irreps
    assert merged != cut and merged is not None and cut is not None and merged.count("x") < cut.count("x")


@pytest.mark.parametrize("backend", [BACKEND, BACKEND_MUL_IR], ids=["ir_mul", "mul_ir"])
def test_every_block_of_the_twin_is_the_source_s(old: torch.nn.Module, backend: Any) -> None:
    rows = distances(E3nnModel(old, CPU), backend.build(old, CPU), GRAPH, load_tolerances(None), 0)
    assert {LINEAR, "interactions.1", "pair_repulsion_fn"} <= {r.block for r in rows} and [r for r in rows if r.fails] == []


@pytest.mark.parametrize("host", ["e3nn", "cueq"])
def test_a_swapped_block_gets_the_parts_that_it_expects(old: torch.nn.Module, twin: CueqModel, host: str) -> None:
    sides = {"e3nn": E3nnModel(old, CPU), "cueq": twin}
    guest = "cueq" if host == "e3nn" else "e3nn"
    base = sides[host]
    mixed = MixedModel(base, {guest: sides[guest]}, {LINEAR: guest})  # type: ignore[arg-type]
    rows = distances(sides["e3nn"], mixed, GRAPH, load_tolerances(None), 0)  # type: ignore[arg-type]
    assert [r for r in rows if r.fails] == []


def test_parts_of_one_channel_do_not_differ_between_layouts() -> None:
    """``2x1o`` lies otherwise in the two layouts, ``1x1o+1x1o`` does not."""
    model = as_of_0_3_8(built({"max_ell": 1, "hidden_irreps": "1x0e+1x1o"}, use_reduced_cg=False))
    block = next(b for b in module_blocks(model) if b.name == LINEAR)
    sides = E3nnModel(model, CPU), BACKEND.build(model, CPU)
    assert differing(block.input_slot("features")) and not differing(sides[1].here(block).input_slot("features"))
    cut = at_boundary(block, *sides)
    assert mismatches(block, "mul_ir", "ir_mul") and not mismatches(cut, "mul_ir", "ir_mul")


def test_a_round_trip_to_today_s_classes_loses_nothing(old: torch.nn.Module, twin: CueqModel) -> None:
    returned = BACKEND.converter.back(twin.model, CPU).model
    trip, own = BACKEND.converter.round_trip(old, returned), BACKEND.converter.parameters(old, twin.model)
    assert trip.failures == own.failures == [] and trip.unmapped == own.unmapped == []
    assert set(returned.state_dict()) != set(old.state_dict()), "they do differ"


FAULTS: Mapping[str, str] = {
    "a constant of today": "products.0.symmetric_contractions.contractions.0.weights_0_zeroed",
    "another number": "radial_embedding.cutoff_fn.p",
    "a parameter": "interactions.1.linear.weight",
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_what_is_lost_or_wrong_on_the_way_is_still_named(old: torch.nn.Module, twin: CueqModel, fault: str) -> None:
    name = FAULTS[fault]
    returned = BACKEND.converter.back(twin.model, CPU).model
    tensor = returned.state_dict()[name]
    tensor.copy_(~tensor if tensor.dtype == torch.bool else tensor + 1)
    (failure,) = BACKEND.converter.round_trip(old, returned).failures
    assert re.match(rf"{re.escape(name)}: (moved by|\d+ of \d+ whole numbers changed)", failure), failure


def test_a_whole_block_that_is_lost_is_no_matter_of_releases(old: torch.nn.Module, twin: CueqModel) -> None:
    returned = BACKEND.converter.back(twin.model, CPU).model
    del returned.pair_repulsion_fn
    assert "lost pair_repulsion_fn.c" in BACKEND.converter.round_trip(old, returned).failures


def test_pair_repulsion_with_a_module_that_nothing_calls_is_one_block(old: torch.nn.Module) -> None:
    assert [path for path, _ in leaf_modules(old) if path.startswith("pair_repulsion_fn")] == ["pair_repulsion_fn"]


def test_a_twin_names_its_only_head_as_it_likes(twin: CueqModel) -> None:
    assert twin.model.heads == ["default"]
    out = run_with_ghosts(twin.model, with_ghosts(GRAPH), "Default")
    assert bool(torch.isfinite(out["forces"]).all())


@pytest.mark.parametrize("changes", [{"correlation": 3}, {"max_ell": 1, "hidden_irreps": "3x0e+3x1o+3x2e"}], ids=["correlation 3", "without path"])
def test_weights_of_all_paths_stay_as_they_are(changes: dict[str, Any]) -> None:
    model = built(changes, use_reduced_cg=False)
    twin = to_cueq(model, "ir_mul", CPU).model
    own, trip = BACKEND.converter.parameters(model, twin), BACKEND.converter.round_trip(model, BACKEND.converter.back(twin, CPU).model)
    assert own.failures == trip.failures == [] and own.ratio == trip.ratio == 0.0 and own.unmapped == trip.unmapped == []
    path = "products.0.symmetric_contractions"
    module, theirs = model.get_submodule(path), twin.get_submodule(path)
    known = weight_map(module, takes_reduced(model))  # type: ignore[arg-type]
    assert known is not None and known.same
    gradients = {n: torch.randn_like(p) for n, p in module.named_parameters() if p.requires_grad}
    (found,) = own_gradients(module, gradients, takes_reduced(model)).values()
    assert found.shape == theirs.weight.shape and torch.equal(found, known.stacked(gradients))


def test_paths_that_are_none_do_not_stop_the_map_of_the_reduced_basis() -> None:
    model = built({"max_ell": 1, "hidden_irreps": "3x0e+3x1o+3x2e"})
    twin = to_cueq(model, "ir_mul", CPU).model
    trip = BACKEND.converter.round_trip(model, BACKEND.converter.back(twin, CPU).model)
    assert trip.failures == [] and trip.unmapped == [] and 0 < trip.ratio < 1
