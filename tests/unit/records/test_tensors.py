"""Tensors of a record: which one decides."""

from __future__ import annotations

from mpcheck.records.tensors import decisive
from tests.unit.records.small import quantity


def test_a_failing_tensor_decides_before_a_larger_one() -> None:
    told = decisive([quantity("calm", 3.0, limit=4.0), quantity("bias", 0.2, failures=("bias",)), quantity("other", 0.9)])
    assert told is not None and told.name == "bias"
    assert decisive([quantity("a", 0.5), quantity("b", None)]).name == "b"  # type: ignore[union-attr]
    assert decisive([]) is None
