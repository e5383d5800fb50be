"""Upstream's conversion there and back: what must stay stays, and every fault of a state is named."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.architecture import build_model
from mpcheck.adapters.backends.converter import Converted
from mpcheck.adapters.backends.cueq import BACKEND
from mpcheck.adapters.backends.design import DESIGN

SMALL = DESIGN[0]


@pytest.fixture(scope="module")
def models() -> tuple[torch.nn.Module, Converted, Converted]:
    """Source, twin and returned model of the smallest configuration."""
    source = build_model(SMALL.architecture)
    twin = BACKEND.converter.there(source, torch.device("cpu"))
    return source, twin, BACKEND.converter.back(twin.model, torch.device("cpu"))


def test_a_sound_round_trip_keeps_every_bit_but_the_projected(models: tuple[torch.nn.Module, Converted, Converted]) -> None:
    source, twin, returned = models
    trip, own = BACKEND.converter.round_trip(source, returned.model), BACKEND.converter.parameters(source, twin.model)
    assert trip.failures == own.failures == [] and trip.tensors == len(source.state_dict()) and 0 <= trip.ratio < 1
    assert not twin.complaints and not returned.complaints and torch.get_default_dtype() == torch.float32


class _Tampered(torch.nn.Module):
    """A model with another state."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.state = state

    def state_dict(self, *args: object, **kwargs: object) -> dict[str, torch.Tensor]:  # type: ignore[override]
        return self.state


WEIGHT = "interactions.0.linear.weight"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda s: s.pop(WEIGHT), f"lost {WEIGHT}"),
        (lambda s: s.update(more=torch.zeros(1)), "extra more"),
        (lambda s: s.update({WEIGHT: s[WEIGHT][None]}), f"{WEIGHT}: reshaped from"),
        (lambda s: s.update({WEIGHT: s[WEIGHT].float()}), f"{WEIGHT}: torch.float64 became torch.float32"),
        (lambda s: s.update({WEIGHT: s[WEIGHT].float().double()}), f"{WEIGHT}: moved by"),
        (lambda s: s.update({WEIGHT: s[WEIGHT] * float("nan")}), f"{WEIGHT}: moved by inf"),
        (lambda s: s.update({WEIGHT: -s[WEIGHT] * 0.0}), f"{WEIGHT}: moved by"),
        (
            lambda s: s.update({k: v.float().double() for k, v in s.items() if k.endswith("weights_max")}),
            "products.0.symmetric_contractions.contractions.0.weights_max: moved by",
        ),
    ],
    ids=["lost", "extra", "reshaped", "dtype", "float32", "nan", "signed-zero", "contraction-float32"],
)
def test_a_faulty_state_is_named(models: tuple[torch.nn.Module, Converted, Converted], fault: object, message: str) -> None:
    source, _, returned = models
    state = dict(returned.model.state_dict())
    fault(state)  # type: ignore[operator]
    failures = BACKEND.converter.round_trip(source, _Tampered(state)).failures
    assert len(failures) == 1 and failures[0].startswith(message)
