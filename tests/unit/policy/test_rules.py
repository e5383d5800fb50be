"""Policies as data: what is left out follows from the rest, what makes no sense is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.policy.rules import Policy, Rule, builtin, filled, get_policy


def test_what_a_rule_leaves_out() -> None:
    plain = filled(Rule(blocks=["*"]), "float32")
    assert (plain.storage, plain.compute, plain.accumulate, plain.interface) == ("float32",) * 4
    narrow = filled(Rule(blocks=["*"], compute="bfloat16"), "float32")
    assert (narrow.storage, narrow.compute, narrow.accumulate, narrow.interface) == ("bfloat16", "bfloat16", "float32", "float32")
    packed = filled(Rule(blocks=["*"], storage="int8", compute="float16"), "float32")
    assert packed.words == "int8 / float16 → float32"
    assert filled(Rule(blocks=["*"]), "tf32").interface == "float32"


def test_the_built_in_ones_are_named_as_their_users_say() -> None:
    names = set(builtin())
    assert {"float64", "float32", "tf32", "seeds", "readout-int8w", "int8w+fp16", "float8_e4m3fn"} <= names
    assert {f"{what}-{fmt}" for what in ("linear", "radial", "tensor-product", "all", "autocast") for fmt in ("bf16", "fp16")} <= names
    assert all((p.energies == "together") == p.name.startswith(("all-", "autocast-")) for p in builtin().values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\nbase: float31\n", "field base"),
        ("name: x\nrules: [{blocks: []}]\n", "field rules.0.blocks"),
        ("name: x\nrules: [{blocks: ['*'], precision: bfloat16}]\n", "field rules.0.precision"),
        ("name: x\nrules: [{blocks: ['*'], compute: int8}]\n", "field rules.0.compute"),
        ("name: x\nautocast: bfloat16\nbase: float64\n", "autocast decides by itself"),
        ("name: x\nname: y\n", "name"),
        ("- 1\n", "expected a mapping"),
    ],
)
def test_a_file_that_says_something_else(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        get_policy(str(path))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_name_or_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown policy 'bf16' \(did you mean \S+bf16\?\); choose from float64, float32"):
        get_policy("bf16")
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        get_policy(str(tmp_path / "nowhere.yaml"))


def test_a_file_reads_back(tmp_path: Path) -> None:
    own = Policy(name="own", rules=[Rule(blocks=["readouts.*"], compute="float16")])
    (tmp_path / "own.yaml").write_text(own.model_dump_json())
    assert get_policy(str(tmp_path / "own.yaml")) == own
