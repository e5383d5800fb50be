"""The whole model's records are judged like any other."""

from __future__ import annotations

from pathlib import Path

import torch

from mpcheck._names import WHOLE
from mpcheck.sessions.precision import PrecisionOptions
from mpcheck.sessions.precision.work import PrecisionWork
from tests.zoo import models


def test_a_fault_of_upstream_that_stops_the_whole_model_is_called_so(tmp_path: Path, cache: Path) -> None:
    """Two heads in 16 bits: upstream's mask of heads has torch's default type."""
    path = tmp_path / "heads.model"
    small = {**models.table()["two-heads"], "elements": ["H", "O"], "max_ell": 1, "correlation": 1, "hidden_irreps": "2x0e"}
    torch.save(models.build("heads", small), path)
    options = PrecisionOptions(model=str(path), systems=("builtin:water",), backends=("e3nn",), formats=("float32", "bfloat16"), cache=cache)
    work = PrecisionWork(options)
    (piece,) = (p for p in work.pieces() if p.planned.check == WHOLE)
    records = {record.format: record for record in work.records(piece)}
    assert {record.subject for record in records.values()} == {"model"} == {piece.planned.subject}
    assert records["float32"].verdict == "pass"
    assert records["bfloat16"].verdict == "known-fault" and "same dtype" in records["bfloat16"].reason
    assert work.failed(piece.planned, "raised").subject == "model"
