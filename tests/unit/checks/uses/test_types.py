"""Faults of types: one tensor or one result of another, and no type named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from mpcheck.checks.uses.asking import structures
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged
from tests.unit.checks.uses.asked import case_of_doors
from tests.unit.checks.uses.planted import Calculator, Planted, results
from tests.unit.checks.uses.small_models import judged, red


def left_in(dtype: torch.dtype, name: str) -> Planted:
    """After the cast, one buffer is of another type."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            for model in self.models:
                module, _, last = name.rpartition(".")
                owner = model.get_submodule(module) if module else model
                setattr(owner, last, getattr(owner, last).to(dtype))

        return init

    return exchanged(Calculator, "__init__", make)


BUFFERS = ["r_max", "atomic_energies_fn.atomic_energies", "scale_shift.scale", "radial_embedding.bessel_fn.bessel_weights"]


@pytest.mark.parametrize("name", BUFFERS[:-1])
@pytest.mark.parametrize(("left", "variant"), [(torch.float64, "float32"), (torch.float32, "float64")])
def test_one_buffer_of_another_type(run: Session, name: str, left: torch.dtype, variant: str) -> None:
    with left_in(left, name):
        found = red(judged(run, "doors", "calculator-types"))
    assert variant in found and name.rpartition(".")[2] in found[variant], found


@pytest.mark.parametrize("what", ["energy", "forces", "stress"])
def test_one_result_in_float64_where_float32_was_asked(run: Session, what: str) -> None:
    frame = structures(case_of_doors(run, "calculator-types"))[0]
    exact = Calculator(models=[copy.deepcopy(run.reference_backend.model)], default_dtype="float64")
    exact.calculate(frame.copy())
    kept = exact.results[what]
    with results(lambda self, r: {what: kept} if self.default_dtype == "float32" else {}):
        found = red(judged(run, "doors", "calculator-types"))
    assert set(found) == {"float32"} and what in found["float32"], found


@pytest.mark.parametrize(("instead", "model"), [("float32", "float64"), ("float64", "float32")])
def test_no_type_named_is_the_models(run: Session, instead: str, model: str) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, *args: Any, default_dtype: str = "", **kwargs: Any) -> None:
            original(self, *args, default_dtype=default_dtype or instead, **kwargs)

        return init

    with exchanged(Calculator, "__init__", make):
        assert set(red(judged(run, "doors", "calculator-types"))) == {f"no type named, model in {model}"}
