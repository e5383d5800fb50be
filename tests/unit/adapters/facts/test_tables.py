"""Coupling tables that went through float32 are made exact; weights and any other table are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mpcheck.adapters.facts.tables import TablesReport, make_tables_exact
from mpcheck.adapters.load import load_model

TINY = """\
schema_version: 1
name: tiny
elements: [O, H]
atomic_energies: {H: -13.6, O: -430.0}
r_max: 3.0
max_ell: 2
hidden_irreps: 3x0e + 3x1o
MLP_irreps: 2x0e
correlation: 3
num_interactions: 2
radial_MLP: [4]
avg_num_neighbors: 2.0
"""


@pytest.fixture
def model(tmp_path: Path) -> torch.nn.Module:
    document = tmp_path / "tiny.yaml"
    document.write_text(TINY)
    return load_model(str(document)).module


def tables(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {n: b.clone() for n, b in model.named_buffers() if "_w3j_" in n or "U_matrix" in n}


def test_a_float64_model_is_left_alone(model: torch.nn.Module) -> None:
    before = tables(model)
    assert before and make_tables_exact(model) == TablesReport(0, 0)
    assert all(torch.equal(before[n], t) for n, t in tables(model).items())


def test_a_model_that_went_through_float32_gets_float64_tables_and_keeps_its_weights(model: torch.nn.Module) -> None:
    exact = tables(model)
    model.float().double()
    weights = {n: p.clone() for n, p in model.named_parameters()}
    rounded = tables(model)
    wrong = {n for n, t in rounded.items() if not torch.equal(t, exact[n])}
    assert any("_w3j_" in n for n in wrong)
    assert any("U_matrix_3" in n for n in wrong)
    assert make_tables_exact(model) == TablesReport(len(wrong), 0, 24)
    # upstream normalises by sums whose order is not fixed: the last digit may differ between two constructions
    assert all(bool(((exact[n] - t).abs() <= 2.0**-51).all()) for n, t in tables(model).items())
    assert all(torch.equal(weights[n], p) for n, p in model.named_parameters())


def test_a_wrong_table_is_not_repaired(model: torch.nn.Module) -> None:
    model.float().double()
    name = next(n for n in tables(model) if "_w3j_" in n)
    faulty = model.get_buffer(name).mul_(1 + 2.0**-12).clone()
    faulty.copy_(faulty.float().double())
    model.get_buffer(name).copy_(faulty)
    report = make_tables_exact(model)
    assert report.unlike == 1
    assert torch.equal(model.get_buffer(name), faulty)


def test_the_source_says_what_was_done(tmp_path: Path) -> None:
    document = tmp_path / "tiny.yaml"
    document.write_text(TINY)
    torch.save(load_model(str(document)).module.float().state_dict(), tmp_path / "tiny.pt")
    found = load_model(str(document))
    assert found.stored_dtype == "float32"
    assert "rounded to float32" in found.source["tables"]
