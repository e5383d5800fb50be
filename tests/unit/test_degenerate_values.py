"""Values at the edge of what a noise scale can say: sums that cancel, numbers below a format's range, traits of faulty models."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.slots import PLAIN
from mpcheck.formats import FORMATS
from mpcheck.judge.known_faults import JUMPS, SEVERAL_HEADS, KnownFault, apply_known_faults, class_names
from mpcheck.judge.metrics import ElementNames, _bias_limit, compare
from mpcheck.judge.scale import Scale
from mpcheck.judge.tolerances import limits_for, load_tolerances
from mpcheck.records.record import Record

NOTHING = Scale(torch.zeros(4, dtype=torch.float64), 0.0, 0.9, 1.0, 1.0, 0.0, 4, 10.0)


def test_values_too_small_for_a_noise_scale_are_not_judged_by_one_of_zero() -> None:
    limits, layout = limits_for(load_tolerances(None), "x", "e3nn", "float64", "forward"), ElementNames(PLAIN, [], "row")
    value = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    fmt = FORMATS["float64"]
    below = compare("out", value * 1e-200 * (1 + fmt.u), value * 1e-200, NOTHING, fmt, limits, layout)
    assert not below.failures
    within = compare("out", value * (1 + 4 * fmt.u), value, NOTHING, fmt, limits, layout)
    assert within.failures  # an exact quantity of any size may not be off at all


class RealAgnosticResidualNonLinearInteractionBlock(torch.nn.Module):
    """Only its name counts."""


def test_traits_of_a_model() -> None:
    model = torch.nn.Module()
    model.heads = ["a", "b"]
    model.radial_embedding = torch.nn.Module()
    assert SEVERAL_HEADS in class_names(model)
    assert JUMPS not in class_names(model)
    model.interaction = RealAgnosticResidualNonLinearInteractionBlock()
    assert JUMPS in class_names(model)
    model.radial_embedding.apply_cutoff = False
    assert JUMPS not in class_names(model)


def test_a_known_fault_may_need_several_traits() -> None:
    fault = KnownFault(
        id="x",
        package="torch",
        versions=">=1",
        check="physics",
        says="wrong",
        needs=["BesselBasis", "NonLinearReadoutBlock"],
        always=False,
        evidence="measured on a model of hydrogen",
    )  # fmt: skip
    red = Record(check="physics", subject="stress", verdict="fail", reason="wrong")
    assert apply_known_faults([red], {"BesselBasis", "NonLinearReadoutBlock"}, [fault])[0].verdict == "known-fault"
    assert apply_known_faults([red], {"BesselBasis"}, [fault])[0].verdict == "fail"


def test_a_bias_of_rows_that_round_together_is_not_that_of_as_many_apart() -> None:
    limit = limits_for(load_tolerances(None), "x", "e3nn", "bfloat16", "forward")
    apart, alike = torch.rand(32, 8).bfloat16(), torch.rand(1, 8).bfloat16().expand(32, 8)
    assert _bias_limit(0.05, apart, limit) == pytest.approx(limit.bias_at(0.05), rel=0.2)
    assert _bias_limit(0.05, alike, limit) == pytest.approx(limit.bias_at(0.05 * 32**0.5))
    assert _bias_limit(0.001, alike, limit) == limit.bias_at(0.001)  # far below the floor: nothing to count
