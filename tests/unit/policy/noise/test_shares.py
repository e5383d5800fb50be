"""Which roundoff each part of a block has, by the formats that a policy gives it."""

from __future__ import annotations

import pytest

from mpcheck.formats import Compute
from mpcheck.policy.noise.shares import alone, roundoff, stored_types
from mpcheck.policy.noise.subjects import Subject
from mpcheck.policy.rules import BlockFormat, Policy, Rule, builtin, filled

LEAF = Subject("interactions.0.linear", "linear", "leaf", ("given", "operand", "result", "sums"), 1.0, 1.0)
PLAIN = Subject("radial_embedding.cutoff_fn", "cut-off envelope", "leaf", ("given", "result"), 1.0, 1.0)
STEP = Subject("interactions.0.scatter", "message scatter", "step", ("result", "sums"), 1.0, 1.0)
B16, B11, F32 = 2.0**-8, 2.0**-11, 2.0**-24


def _format(compute: Compute, base: Compute = "float32", **other: str) -> BlockFormat:
    return filled(Rule(blocks=["*"], compute=compute, **other), base)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "fmt", "given", "operand", "result", "sums"),
    [
        (Policy(name="x"), _format("float32"), 0, 0, F32, F32),
        (Policy(name="x"), _format("bfloat16"), B16, 0, B16, F32),
        (Policy(name="x"), _format("float16"), B11, 0, B11, F32),
        (Policy(name="x"), _format("bfloat16", accumulate="bfloat16"), B16, 0, B16, B16),
        (Policy(name="x"), _format("float32", interface="bfloat16"), 0, 0, B16, F32),
        (Policy(name="x"), _format("float64"), 0, 0, F32, 2.0**-53),  # handed on in float32
        (Policy(name="x", base="float64"), _format("float32", "float64"), F32, 0, F32, F32),
        (Policy(name="x", base="bfloat16"), _format("bfloat16", "bfloat16"), 0, 0, B16, F32),  # what it is given is rounded already
        (Policy(name="x", base="tf32"), _format("tf32", "tf32"), 0, B11, F32, F32),
        (builtin()["autocast-bf16"], _format("float32"), 0, B16, B16, F32),
    ],
)
def test_roundoff(policy: Policy, fmt: BlockFormat, given: float, operand: float, result: float, sums: float) -> None:
    found = roundoff(policy, fmt, LEAF)
    assert (found["given"], found["operand"], found["result"], found["sums"]) == (given, operand, result, sums)


def test_sums_in_the_storage_type_of_a_device() -> None:
    fmt, policy = _format("bfloat16", "bfloat16"), Policy(name="x", base="bfloat16")
    assert roundoff(policy, fmt, STEP, "cpu")["sums"] == F32 and roundoff(policy, fmt, STEP, "cuda")["sums"] == B16
    assert roundoff(policy, fmt, STEP, "cpu")["gather"] == B16


def test_autocast_lowers_what_multiplies_matrices() -> None:
    policy = builtin()["autocast-fp16"]
    assert roundoff(policy, policy.default(), PLAIN)["result"] == F32
    assert alone(policy, policy.default(), LEAF) == "float16" and alone(policy, policy.default(), PLAIN) is None


def test_known_rounding_of_weights() -> None:
    policy = Policy(name="x")
    assert stored_types(policy, _format("float32"), LEAF) == []
    assert stored_types(policy, _format("bfloat16"), LEAF) == ["bfloat16"]
    assert stored_types(policy, _format("float16", storage="int8"), LEAF) == ["int8", "float16"]
    assert stored_types(policy, _format("float32", storage="float8_e4m3fn"), LEAF) == ["float8_e4m3fn"]
    tf32 = Policy(name="x", base="tf32")
    assert stored_types(tf32, tf32.default(), LEAF) == ["float16"]  # as many bits
    assert stored_types(tf32, tf32.default(), PLAIN) == [] and stored_types(tf32, tf32.default(), STEP) == []
