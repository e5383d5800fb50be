"""Facts of blocks are enough to compute them."""

from __future__ import annotations

import numpy as np
import torch

from mpcheck.adapters.blocks import Block, module_blocks
from mpcheck.adapters.facts.blocks import BlockFacts
from mpcheck.adapters.facts.closed_forms import closed_form
from mpcheck.adapters.steps import step_block


def block(model: torch.nn.Module, name: str) -> Block:
    return next(b for b in module_blocks(model) if b.name == name)


def facts_of(model: torch.nn.Module, name: str) -> BlockFacts:
    facts = closed_form(block(model, name), model)
    assert isinstance(facts, BlockFacts), facts
    return facts


def test_a_linear_layer_follows_from_its_facts(tiny: torch.nn.Module) -> None:
    facts = facts_of(tiny, "node_embedding.linear")
    ((inputs, _),), ((outputs, _),) = facts.options["irreps_in"], facts.options["irreps_out"]
    weight = facts.parameters["weight"].reshape(inputs, outputs)
    x = np.random.default_rng(0).normal(size=(5, inputs))
    wanted = tiny.get_submodule("node_embedding.linear")(torch.from_numpy(x)).detach().numpy()
    assert np.allclose(x @ weight / np.sqrt(inputs), wanted, rtol=1e-14, atol=1e-15)


def test_scale_and_shift_follow_from_their_facts(tiny: torch.nn.Module) -> None:
    facts = facts_of(tiny, "scale_shift")
    x, head = torch.randn(4, dtype=torch.float64), torch.zeros(4, dtype=torch.long)
    wanted = tiny.get_submodule("scale_shift")(x, head).numpy()
    assert np.array_equal(facts.numbers["scale"] * x.numpy() + facts.numbers["shift"], wanted)


def test_what_has_no_formula_says_its_class(tiny: torch.nn.Module) -> None:
    assert closed_form(block(tiny, "products.0.symmetric_contractions"), tiny) == "SymmetricContraction"
    assert closed_form(block(tiny, "interactions.0"), tiny) == "RealAgnosticResidualInteractionBlock"


def test_steps_have_formulae_of_their_own(tiny: torch.nn.Module) -> None:
    formulae = [closed_form(step_block(n), tiny) for n in ("edge_vectors", "interactions.0.scatter@2", "energy_sum")]
    assert [f.formula if isinstance(f, BlockFacts) else f for f in formulae] == ["edge_vectors", "sum", "sum"]
