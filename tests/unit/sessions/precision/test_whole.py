"""The whole model's records are judged like any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._names import WHOLE
from mpcheck.records.record import Record
from mpcheck.sessions.precision import PrecisionOptions, whole
from mpcheck.sessions.precision.outlier import MOST
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


def planned_large(backend: str, fmt: str, cache: Path) -> PrecisionWork:
    """The built-in model on a crystal of 15,000 edges, of which blocks see half."""
    return PrecisionWork(PrecisionOptions(systems=("builtin:diamond:3",), backends=(backend,), formats=(fmt,), cache=cache))


def whole_of(work: PrecisionWork) -> Record:
    (piece,) = (p for p in work.pieces() if p.planned.check == WHOLE)
    (record,) = work.records(piece)
    return record


def rows_spoiled(work: PrecisionWork, layer: int, argument: str, rows: slice, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that a layer takes are wrong in lower precision, by their number, which is beyond those of a part."""
    kind = type(work.session.reference_backend.model.get_submodule(f"interactions.{layer}"))
    right = kind.forward

    def wrong(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        given = kwargs[argument]
        if given.dtype != torch.float64 and len(given) > rows.start:
            spoiled = torch.ones(len(given), 1, dtype=given.dtype)
            spoiled[rows] = factor
            kwargs[argument] = given * spoiled
        return right(self, *args, **kwargs)

    monkeypatch.setattr(kind, "forward", wrong)


@pytest.mark.parametrize(
    ("fmt", "layer", "argument", "rows", "factor"),
    [
        ("float32", 0, "edge_feats", slice(14_000, 14_001), 1.01),
        ("float32", 1, "edge_attrs", slice(14_999, 15_000), 0.0),
        ("float32", 0, "edge_attrs", slice(12_288, 12_304), 1.001),
        ("float32", 1, "node_feats", slice(200, 201), 0.999),
        ("bfloat16", 1, "edge_feats", slice(10_000, 10_032), -3.0),
    ],
)
def test_rows_that_no_sample_has_are_seen_at_full_size(
    fmt: str, layer: int, argument: str, rows: slice, factor: float, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = planned_large("e3nn", fmt, cache)
    sound = whole_of(work)
    assert sound.verdict == "pass" and sound.ratio is not None and sound.ratio < MOST / 2
    rows_spoiled(work, layer, argument, rows, factor, monkeypatch)
    faulty = whole_of(work)
    assert faulty.verdict == "fail" and "times what it errs by in other orders" in faulty.reason, faulty.ratio


def test_nothing_passes_beside_a_float64_model_that_gives_no_numbers(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = PrecisionWork(PrecisionOptions(systems=("builtin:water",), backends=("e3nn",), formats=("float32",), cache=cache))
    model, right = work.session.reference_backend.model, whole.evaluate

    def lost(judged: Any, *args: Any, **kwargs: Any) -> Any:
        found = right(judged, *args, **kwargs)
        return replace(found, energy=found.energy * float("nan")) if judged is model else found

    monkeypatch.setattr(whole, "evaluate", lost)
    record = whole_of(work)
    assert record.verdict == "fail" and "float64's own energies or forces are no numbers" in record.reason and record.detail is None
