"""Ratios of sound blocks lie in one narrow band in every format."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests.faults.planted import replaced_attribute

LINEAR = ["interactions.0.linear_up", "interactions.1.linear", "products.0.linear", "interactions.1.conv_tp_weights", "readouts.1.linear_1"]
BANDS = {"float32": (0.2, 1.1), "tf32": (0.3, 1.2), "bfloat16": (0.3, 1.1), "float16": (0.3, 1.1)}


@pytest.mark.parametrize("block", LINEAR)
@pytest.mark.parametrize("fmt", sorted(BANDS))
def test_output_ratios_lie_in_one_narrow_band(judge: Callable[..., Record], block: str, fmt: str) -> None:
    cell = judge(block, fmt, "forward")
    low, high = BANDS[fmt]
    rms = cell.quantities[0].rms
    assert rms is not None
    assert low < rms < high


@pytest.mark.parametrize("fmt", ["float64", "bfloat16"])
def test_a_gradient_that_is_none_is_named_and_not_counted_as_numbers(session: Session, judge: Callable[..., Record], fmt: str) -> None:
    module = session.reference_backend.model.get_submodule("interactions.1.linear")
    original = module.forward
    with replaced_attribute(module, "forward", lambda features: original(features.detach())):
        cell = judge("interactions.1.linear", fmt, "backward")
    lost = {q.name: q.failures for q in cell.quantities if q.failures}
    assert set(lost) == {n for n in lost if n.startswith("grad.")} and lost
    assert all(f[0].startswith("no gradient: that with respect to features is None, the reference's has ") for f in lost.values())
    assert cell.verdict == "fail" and "no gradient" in cell.reason and "NaN" not in cell.reason
    assert all(q.nonfinite == 0 and q.rms is None for q in cell.quantities if q.failures)


def test_a_parameter_without_gradient_and_an_output_that_is_missing_are_named(session: Session, judge: Callable[..., Record]) -> None:
    module = session.reference_backend.model.get_submodule("interactions.1.linear")
    original = module.forward

    def cut(features: object) -> object:
        module.weight.requires_grad_(False)
        try:
            return original(features)
        finally:
            module.weight.requires_grad_(True)

    with replaced_attribute(module, "forward", cut):
        cell = judge("interactions.1.linear", "float32", "backward")
    assert "no gradient: that of the parameter weight is None" in cell.reason
    interaction = session.reference_backend.model.get_submodule("interactions.1")
    whole = interaction.forward
    with replaced_attribute(interaction, "forward", lambda *a, **k: (whole(*a, **k)[0], None)):
        cell = judge("interactions.1", "float32", "forward")
    assert cell.verdict == "fail" and "out.1: no such output" in cell.reason
