"""A short run of each trained model: what it is like is told, and one that ends early where float64's does not is red."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mpcheck._names import TRAINING_DYNAMICS
from mpcheck.adapters.load import load_model
from mpcheck.records.record import Planned, Record
from mpcheck.records.training_figures import TrainingDynamics
from mpcheck.sessions.training import dynamics
from mpcheck.sessions.training.drawing import pictures
from mpcheck.sessions.training.dynamics import beside, moved
from mpcheck.sessions.training.tables import moved_rows
from tests.unit.learning.conftest import few
from tests.unit.sessions.training.samples import document


def planned(regime: str) -> Planned:
    return Planned(key=f"{TRAINING_DYNAMICS}/{regime}", check=TRAINING_DYNAMICS, subject=regime, variant="seed 0")


def ran(regime: str, lost: str = "") -> Record:
    detail = TrainingDynamics(
        structure="H2O", ps=0.2, temperature_K=400.0, lost=lost, overlap={"H-O": 0.8}, r_A=[0.5, 1.0], distances={"H-O": [0.0, 2.0]},
        labelled={"H-O": [0.0, 2.1]},
    )  # fmt: skip
    return Record(**planned(regime).about, key=planned(regime).key, verdict="pass", detail=detail)


def test_a_run_tells_what_it_has_in_common_with_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamics, "STEPS", 40)
    record = moved(planned("float64"), load_model("builtin:hco").module, few(), 0)
    assert record.verdict == "pass" and isinstance(record.detail, TrainingDynamics)
    assert len(record.detail.r_A) == len(next(iter(record.detail.distances.values()))) > 10
    assert all(0 < share <= 1 for share in record.detail.overlap.values())


def test_a_training_without_weights_is_not_run() -> None:
    assert moved(planned("float32"), None, few(), 0).verdict == "unsupported"


@pytest.mark.parametrize(
    ("own", "exact", "verdict"), [("", "", "pass"), ("9e9 K", "", "fail"), ("9e9 K", "9e9 K", "inconclusive"), ("", "9e9 K", "pass")]
)
def test_one_that_ends_early_alone_is_red(own: str, exact: str, verdict: str) -> None:
    found = beside(ran("float32", own), ran("float64", exact))
    assert found.verdict == verdict and (not own or "ends early, 9e9 K" in found.reason)


def test_it_is_told_and_drawn() -> None:
    run = document(float64=[100.0, 101.0], float32=[100.0, 102.0])
    records = [*run.records, ran("float64"), ran("float32", "9e9 K")]
    plan = [Planned(key=r.key, **r.about) for r in records]
    both = run.model_copy(update={"records": records, "plan": plan})
    rows: list[list[Any]] = list(moved_rows(both))
    assert rows[0] == ["float64", "H2O", "0.2", "400", "H-O 80 %", ""] and rows[1][-1] == "9e9 K"
    assert any(picture.name == "training-h-o" and "labels" in picture.svg for picture in pictures(both))


def test_torch_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamics, "STEPS", 10)
    before = torch.get_default_dtype()
    moved(planned("float64"), load_model("builtin:hco").module, few(), 0)
    assert torch.get_default_dtype() == before
