"""Why a workload cannot run, told apart from what went wrong."""

from __future__ import annotations

import time

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck._unsupported import no_device
from mpcheck.bench.work.workload import UnsupportedError, once, told_apart


def test_the_side_comes_before_the_reason() -> None:
    assert str(UnsupportedError("one shape")) == "one shape" and UnsupportedError("one shape").why.code == "not-applicable"
    assert str(UnsupportedError(no_device(), "head")) == f"head: {no_device()}"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotImplementedError('"addmm_impl_cpu_" not implemented for \'Half\''), "no-operation"), (ValueError("x"), "raised"),
        (RuntimeError("boom"), "raised"),
    ],
)  # fmt: skip
def test_a_missing_implementation_is_not_what_went_wrong(error: Exception, code: str) -> None:
    with pytest.raises(UnsupportedError) as told, told_apart():
        raise error
    assert told.value.why.code == code and told.value.__cause__ is error


@pytest.mark.parametrize("error", [InputError("bad"), KeyboardInterrupt(), UnsupportedError("no")])
def test_what_is_no_foreign_fault_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as told, told_apart():
        raise error
    assert told.value is error


def test_one_call_is_made_once_and_timed() -> None:
    ends = list[float]()

    def spin() -> None:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        ends.append(end)

    seconds = once(spin, torch.device("cpu"))
    assert len(ends) == 1 and seconds >= 0.02
