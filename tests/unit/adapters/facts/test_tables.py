"""Coupling tables that went through float32 are made exact; weights and any other table are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.adapters.facts.tables import TablesReport, digits_of, make_tables_exact
from mpcheck.adapters.load import load_model, load_object

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


PASSED_THROUGH = {
    "bfloat16": ([torch.bfloat16], 8), "float16": ([torch.float16], 11), "bfloat16 by way of float32": ([torch.float32, torch.bfloat16], 8),
    "float16, then bfloat16": ([torch.float32, torch.float16, torch.bfloat16], 8), "bfloat16, then float16": ([torch.bfloat16, torch.float16], 8),
    "bfloat16, kept in float32": ([torch.bfloat16, torch.float32], 8),
}  # fmt: skip


@pytest.mark.parametrize("through", list(PASSED_THROUGH))
def test_tables_that_any_format_has_rounded_are_made_exact(model: torch.nn.Module, through: str) -> None:
    exact, (dtypes, digits) = tables(model), PASSED_THROUGH[through]
    for dtype in dtypes:
        model.to(dtype)
    model.double()
    rounded = {n for n, t in tables(model).items() if not torch.equal(t, exact[n])}
    assert len(rounded) == 8 and make_tables_exact(model) == TablesReport(len(rounded), 0, digits)
    assert all(bool(((exact[n] - t).abs() <= 2.0**-51).all()) for n, t in tables(model).items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [2.0**-5, 0.3, -2.0])
def test_a_wrong_table_of_few_digits_is_not_repaired(model: torch.nn.Module, dtype: torch.dtype, size: float) -> None:
    name = next(n for n in tables(model) if "_w3j_1_1_2" in n)
    table = model.get_buffer(name)
    table[table.abs() == table.abs().max()] *= 1 + size
    model.to(dtype).double()
    faulty = model.get_buffer(name).clone()
    report = make_tables_exact(model)
    assert report.coarse == (name,) and report.unlike == 1 and torch.equal(model.get_buffer(name), faulty)


def test_a_table_of_another_kind_may_have_few_digits(model: torch.nn.Module) -> None:
    """Whether digits are few is told from all tables: ones and zeros have few in any model."""
    name = next(n for n in tables(model) if "U_matrix_2" in n)
    model.get_buffer(name).copy_(torch.ones_like(model.get_buffer(name)))
    assert make_tables_exact(model) == TablesReport(0, 1)


@pytest.mark.parametrize(("table", "digits"), [([1.0, -0.5, 0.0], 1), ([0.75, 2.0], 2), ([0.0], 0), ([1 + 2.0**-23], 24), ([1 / 3], 53)])
def test_digits_are_those_that_hold_every_entry(table: list[float], digits: int) -> None:
    assert digits_of(torch.tensor(table, dtype=torch.float64)) == digits


@pytest.mark.parametrize(("dtype", "stored"), [(torch.bfloat16, "bfloat16"), (torch.float16, "float16"), (torch.float32, "float32")])
def test_a_model_in_few_digits_says_so_and_one_of_unknown_tables_is_refused(model: torch.nn.Module, dtype: torch.dtype, stored: str) -> None:
    found = load_object(model.to(dtype))
    assert f"rounded to {stored}" in found.source["tables"] and found.stored_dtype == stored
    name = next(n for n in tables(model) if "_w3j_1_1_2" in n)
    model.get_buffer(name).mul_(1.5)
    if dtype == torch.float32:  # it can be judged: by checks that see the fault
        assert "1 coupling tables are not what upstream computes" in load_object(model).source["tables_left"]
        return
    with pytest.raises(InputError, match=r"1 coupling tables \(first: .*_w3j_1_1_2\) have .* binary digits and are no rounding") as caught:
        load_object(model)
    assert "\n" not in str(caught.value)


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
