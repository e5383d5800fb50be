"""`mpcheck apply` replaces no model but one that it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.cli.apply import apply


@pytest.mark.parametrize(
    ("told", "said"), [(None, r"is a model of somebody's"), ({"sha256": "0" * 64}, r"is not the model that own\.model\.policy\.json tells of")]
)
def test_a_model_of_somebody_stays(tmp_path: Path, told: dict[str, str] | None, said: str) -> None:
    out = tmp_path / "own.model"
    torch.save({"weights": torch.ones(3)}, out)
    before = out.read_bytes()
    if told is not None:
        (tmp_path / "own.model.policy.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match=said):
        apply("builtin:hco", "float32", out, "", "cpu", None, 0)
    assert out.read_bytes() == before
