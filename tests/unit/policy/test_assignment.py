"""Which block a rule names: by glob or role, the last one holds, and one that names nothing is refused."""

from __future__ import annotations

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.adapters.blocks import module_blocks
from mpcheck.policy.assignment import assigned, changed
from mpcheck.policy.rules import Policy, Rule, builtin


def policy(*rules: Rule) -> Policy:
    return Policy(name="own", rules=list(rules))


def test_the_last_rule_holds(model: torch.nn.Module) -> None:
    own = policy(Rule(blocks=["role:linear"], compute="bfloat16"), Rule(blocks=["readouts.*"], compute="float16"))
    formats = assigned(own, module_blocks(model))
    assert formats["interactions.0.linear"].compute == "bfloat16"
    assert formats["readouts.0.linear"].compute == "float16"
    assert formats["spherical_harmonics"].compute == "float32"
    assert set(changed(formats, own)) == {n for n, f in formats.items() if f.compute != "float32"}


def test_every_leaf_has_a_format(model: torch.nn.Module) -> None:
    leaves = {b.module_path for b in module_blocks(model) if b.kind == "leaf"}
    for one in builtin().values():
        assert set(assigned(one, module_blocks(model))) == leaves


def test_a_block_without_weights_stores_none(model: torch.nn.Module) -> None:
    formats = assigned(policy(Rule(blocks=["*"], storage="int8")), module_blocks(model))
    assert formats["interactions.0.linear"].storage == "int8"
    assert formats["spherical_harmonics"].storage == "float32"


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("no.such", "no block of this model matches 'no.such'"), ("interactions.0", "composite block; name its leaves"), ("role:attention", "roles: ")],
)
def test_a_pattern_that_would_change_nothing(model: torch.nn.Module, pattern: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        assigned(policy(Rule(blocks=[pattern], compute="bfloat16")), module_blocks(model))
