"""Every peer's rule at its own edge: it passes just inside, objects just outside, and to NaN (but for the one that does not)."""

from __future__ import annotations

import math

import pytest
import torch

from mpcheck.records.tensors import Quantity
from tests.faults.deciders.peers import DECIDERS
from tests.faults.deciders.rules import Computed, Decider, Fixed, Observed, TwiceThePlainError, decide

FIXED = [d for d in DECIDERS if isinstance(d, Fixed)]
TWICE = [d for d in DECIDERS if isinstance(d, TwiceThePlainError)]
STEP = 1e-6  # relative, to either side of an edge


def _quantity(name: str, failures: list[str]) -> Quantity:
    fields = (
        "max_abs", "max_rel", "stabiliser", "rms", "rms_limit", "max", "max_limit", "bias", "signed_bias", "bias_limit", "signed_bias_limit",
        "allowed_abs", "allowed_rel",
    )  # fmt: skip
    return Quantity(name=name, shape=[3], **dict.fromkeys(fields), nonfinite=0, out_of_range=0, failures=failures)


def seen(
    fmt: str, error: float, name: str = "out", backend: str = "e3nn", value: float = 0.5, plain: float = 0.0, failures: tuple[str, ...] = ()
) -> Observed:
    """A tensor of three elements, one of which is off by ``error``; the plain one's by ``plain``."""
    exact = torch.full((3,), value, dtype=torch.float64)
    low, other = exact.clone(), exact.clone()
    low[1] += error
    other[2] += plain
    return Observed(name, low, exact, other, _quantity(name, list(failures)), backend, fmt)


CASES = [(d, fmt, backend, name) for d in FIXED for fmt in sorted(d.formats) for backend in ("e3nn", "cueq") for name in ("out", "grad.random.x")]


@pytest.mark.parametrize(("rule", "fmt", "backend", "name"), CASES, ids=lambda c: getattr(c, "name", c))
def test_a_fixed_tolerance_at_its_edge(rule: Fixed, fmt: str, backend: str, name: str) -> None:
    probe = seen(fmt, 0.0, name, backend)
    if not rule.covers(probe):
        assert decide(rule, [probe]) == "not tested"
        return
    edge = rule.allowed(probe) + 0.5 * rule.rtol.get(fmt, 0.0)
    assert decide(rule, [seen(fmt, edge * (1 - STEP), name, backend)]) == "missed"
    assert decide(rule, [seen(fmt, edge * (1 + STEP), name, backend)]) == "seen"
    assert decide(rule, [seen(fmt, -edge * (1 + STEP), name, backend)]) == "seen"


@pytest.mark.parametrize("fmt", ["float64", "float32", "tf32", "bfloat16", "float16"])
def test_the_defaults_are_those_of_torch(fmt: str) -> None:
    storage = {"tf32": torch.float32}.get(fmt) or getattr(torch, fmt)
    rule = next(d for d in FIXED if d.name.startswith("MACE's defaults"))
    edge = rule.atol[fmt] + 0.5 * rule.rtol[fmt]
    exact = torch.full((1,), 0.5, dtype=torch.float64)
    # torch takes its tolerance from the narrower of two types; the float64 side keeps the edge exact
    narrow = torch.full((1,), 0.5, dtype=storage)
    torch.testing.assert_close(exact + edge * 0.99, narrow, check_dtype=False)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(exact + edge * 1.01, narrow, check_dtype=False)


def test_accelerated_backends_and_gradients_have_tolerances_of_their_own() -> None:
    rewrite, cueq = (next(d for d in FIXED if d.name == n) for n in ("MACE rewrite", "cuEquivariance"))
    assert decide(rewrite, [seen("float64", 5e-6)]) == "seen"
    assert decide(rewrite, [seen("float64", 5e-6, backend="cueq")]) == "missed"
    assert decide(cueq, [seen("bfloat16", 5.0)]) == "seen"
    assert decide(cueq, [seen("bfloat16", 5.0, "weight.random.weight")]) == "missed"


@pytest.mark.parametrize("rule", TWICE, ids=lambda d: d.name)
@pytest.mark.parametrize("fmt", ["bfloat16", "float16"])
def test_twice_the_plain_error_at_its_edge(rule: TwiceThePlainError, fmt: str) -> None:
    plain = 0.25
    # 0.5 + 0.3 rounds to the nearest number of the format, 0.3 is taken away again
    storage = getattr(torch, fmt)
    half = torch.full((3,), 0.5, dtype=storage)
    floor = rule.floor if rule.floor is not None else 2 * float((half + 0.3 - 0.3 - half).abs().max())
    edge = 2 * plain + floor
    assert decide(rule, [seen(fmt, edge * (1 - STEP), plain=plain)]) == "missed"
    assert decide(rule, [seen(fmt, edge * (1 + STEP), plain=plain)]) == "seen"
    assert decide(rule, [seen(fmt, 2 * plain, plain=2 * plain)]) == "missed", "a fault of the plain implementation is not seen"


@pytest.mark.parametrize("rule", DECIDERS, ids=lambda d: d.name)
def test_nan_is_red_but_for_the_harness_that_passes_it(rule: Decider) -> None:
    fmt = sorted(rule.formats)[0]
    failures = ("not finite",) if isinstance(rule, Computed) else ()
    assert decide(rule, [seen(fmt, math.nan, failures=failures)]) == ("missed" if rule.name == "e3nn" else "seen")


@pytest.mark.parametrize("rule", DECIDERS, ids=lambda d: d.name)
def test_formats_that_a_project_does_not_test_are_told_apart(rule: Decider) -> None:
    for fmt in ("float64", "float32", "tf32", "bfloat16", "float16"):
        verdict = decide(rule, [seen(fmt, 1e9, failures=("wrong",))])
        assert verdict == ("seen" if fmt in rule.formats else "not tested")
    assert decide(rule, []) == "not tested"


@pytest.mark.parametrize("rule", FIXED + TWICE, ids=lambda d: d.name)
def test_another_shape_is_red(rule: Decider) -> None:
    fmt = sorted(rule.formats)[0]
    one = seen(fmt, 0.0)
    assert rule.objects(Observed(one.name, one.low[:2], one.value, one.plain, one.quantity, one.backend, fmt))


def test_mpcheck_says_what_its_own_session_says() -> None:
    assert decide(Computed(), [seen("bfloat16", 0.0), seen("bfloat16", 0.0, failures=("rms ratio 2 > 1",))]) == "seen"
    assert decide(Computed(), [seen("bfloat16", 1e9)]) == "missed"
