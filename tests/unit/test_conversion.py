"""The conversion check: its covering set, its judgement of a faulty state, and the file of upstream's limits."""

from __future__ import annotations

import itertools
import logging

import pytest
import torch

from mpcheck.adapters.architecture import build_model
from mpcheck.adapters.backends import weights
from mpcheck.adapters.backends.converter import Converted, logged
from mpcheck.adapters.backends.cueq import BACKEND
from mpcheck.adapters.backends.design import DESIGN
from mpcheck.checks.symmetry import conversions

SMALL = DESIGN[0]


@pytest.fixture(scope="module")
def models() -> tuple[torch.nn.Module, Converted, Converted]:
    """Source, twin and returned model of the smallest configuration."""
    source = build_model(SMALL.architecture)
    twin = BACKEND.converter.there(source, torch.device("cpu"))
    return source, twin, BACKEND.converter.back(twin.model, torch.device("cpu"))


def test_design_covers_every_pair_that_converts() -> None:
    fields = ("interactions", "correlation", "hidden_l", "elements", "residual", "backend")
    rows = [c for c in DESIGN if c.correlation > 1]
    levels = {f: sorted({getattr(c, f) for c in rows}) for f in fields}
    assert levels["interactions"] == [1, 2, 3] and levels["hidden_l"] == [0, 1, 2] and levels["correlation"] == [2, 3]
    missing = {
        (a, x, b, y)
        for a, b in itertools.combinations(fields, 2)
        for x, y in itertools.product(levels[a], levels[b])
        if not any((getattr(c, a), getattr(c, b)) == (x, y) for c in rows)
    }
    left_out = {("interactions", 3, "hidden_l", 2)}
    assert missing == left_out
    assert any(c.correlation == 1 for c in DESIGN)


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
        (lambda s: s.update({WEIGHT: s[WEIGHT].float().double()}), f"{WEIGHT}: changed by up to"),
        (lambda s: s.update({WEIGHT: s[WEIGHT] * float("nan")}), f"{WEIGHT}: changed by up to nan"),
        (lambda s: s.update({WEIGHT: -s[WEIGHT] * 0.0}), f"{WEIGHT}: changed by up to"),
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


def test_contractions_without_a_known_map_are_inconclusive(
    models: tuple[torch.nn.Module, Converted, Converted], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, twin, returned = models
    monkeypatch.setattr(weights, "contraction_projection", lambda module: None)
    found = conversions.judged(BACKEND.converter, source, twin, returned, {"check": "conversion", "subject": "x"})
    assert [f.verdict for f in found] == ["inconclusive", "inconclusive"]
    assert all("products.0.symmetric_contractions" in f.reason for f in found)


def test_logged_collects_debug_messages_and_puts_the_root_logger_back() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, root.manager.disable)
    with logged() as records:
        logging.debug("Shape mismatch for key x")
    assert [r.getMessage() for r in records] == ["Shape mismatch for key x"]
    assert (list(root.handlers), root.level, root.manager.disable) == before
