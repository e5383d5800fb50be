"""A cell's operations, in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.checks.precision import CellKey
from mpcheck.sessions.operations import key_of, operations

CELL = "builtin:isolated/products.0.linear-e3nn-bfloat16-backward"


@pytest.mark.parametrize("backend", ["e3nn", "cueq", "cueq-mul_ir"])
@pytest.mark.parametrize(("system", "block"), [("builtin:water", "interactions.1.scatter"), ("some/where/my-own.xyz@0", "energy_sum@2")])
def test_names_of_records_are_read(backend: str, system: str, block: str) -> None:
    key = CellKey(system, block, backend, "bfloat16", "forward")
    assert key_of(key.id) == key
    assert key_of(f"precision:{key.id}") == key


def test_a_page(cache: Path) -> None:
    lines = operations("builtin:hco", CELL, cache, 0, "cpu").splitlines()
    assert lines[0] == f"{CELL}: pass"
    count = re.match(r"(\d+) operations, each done again in float64", lines[1])
    assert count is not None
    assert int(count[1]) > 20
    assert lines[2] == "no operation rounds more than its format explains"
    rows = [re.match(r" +([\d.]+) +([\d.]+) +(\d+)  aten\.\w+\.\w+, .*products\.0\.linear", line) for line in lines[5:]]
    assert rows
    ratios = [float(row[1]) / float(row[2]) for row in rows if row is not None]
    assert ratios == sorted(ratios, reverse=True)
    assert len(ratios) == len(rows)
    assert 0.3 < ratios[0] <= 1.0


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("nonsense", "is no cell of a precision run"),
        (CELL.replace("backward", "sideways"), "is no cell of a precision run"),
        (CELL.replace("e3nn", "e4nn"), "did you mean e3nn"),
        (CELL.replace("bfloat16", "float7"), "unknown format 'float7'"),
        (CELL.replace("builtin:isolated/", ""), "names no system or no block"),
        (CELL.replace("products.0.linear", "nowhere"), "no block matches 'nowhere'"),
        (CELL.replace("products.0.linear", "products.*"), r"no block 'products.\*'"),
        (CELL.replace("isolated", "nowhere"), "builtin:nowhere"),
    ],
)  # fmt: skip
def test_what_is_no_cell_is_one_line(cell: str, says: str, cache: Path) -> None:
    with pytest.raises(InputError, match=says) as caught:
        operations("builtin:hco", cell, cache, 0, "cpu")
    assert "\n" not in str(caught.value)


def test_a_cell_that_cannot_run_says_why(cache: Path) -> None:
    with pytest.raises(InputError, match="is unsupported"):
        operations("builtin:hco", CELL.replace("products.0.linear", "edge_vectors").replace("e3nn", "cueq-unfused"), cache, 0, "cpu")
