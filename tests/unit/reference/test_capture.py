"""A model without an energy is one clear line; what its forward raises is the caller's to record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.reference.capture import capture
from mpcheck.reference.store import Store


class Foreign(torch.nn.Module):
    """Has what an unpickled model must have; answers as told."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, data: dict[str, torch.Tensor], compute_force: bool = True) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"dipole": torch.zeros(3)}, "computes no energy"),
        ({"energy": None}, "computes no energy"),
        ({"energy": torch.tensor([float("nan")])}, "energy is not finite"),
    ],
)
def test_refused_in_one_line(answer: Any, expected: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="model") as caught:
        capture(Foreign(answer), {"positions": torch.zeros(1, 3, dtype=torch.float64)}, Store(tmp_path, "key"), lambda *_: "")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("error", [KeyError("charges"), RuntimeError("shape '[16, 3]' is invalid")])
def test_what_the_model_raises_is_handed_on(error: Exception, tmp_path: Path) -> None:
    """It may be a fault of the judged code, so that it must end in a record, not in a refusal of the input."""
    with pytest.raises(type(error)):
        capture(Foreign(error), {"positions": torch.zeros(1, 3, dtype=torch.float64)}, Store(tmp_path, "key"), lambda *_: "")
    assert not list(tmp_path.rglob("*.json"))
