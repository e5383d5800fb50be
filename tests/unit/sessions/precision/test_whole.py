"""The whole model's records are judged like any other."""

from __future__ import annotations

from pathlib import Path

import torch

from mpcheck._names import WHOLE
from mpcheck.sessions.precision import PrecisionOptions
from mpcheck.sessions.precision.work import PrecisionWork
from tests.zoo import models


def test_a_model_of_several_heads_runs_in_every_format(tmp_path: Path, cache: Path) -> None:
    """Two heads in 16 bits: upstream's mask of heads has torch's default type, which whole models have set to their own."""
    path = tmp_path / "heads.model"
    small = {**models.table()["two-heads"], "elements": ["H", "O"], "max_ell": 1, "correlation": 1, "hidden_irreps": "2x0e"}
    torch.save(models.build("heads", small), path)
    options = PrecisionOptions(model=str(path), systems=("builtin:water",), backends=("e3nn",), formats=("float32", "bfloat16"), cache=cache)
    work = PrecisionWork(options)
    (piece,) = (p for p in work.pieces() if p.planned.check == WHOLE)
    records = {record.format: record for record in work.records(piece)}
    assert {record.subject for record in records.values()} == {"model"} == {piece.planned.subject}
    assert {record.verdict for record in records.values()} == {"pass"}
    assert work.failed(piece.planned, "raised").subject == "model"
