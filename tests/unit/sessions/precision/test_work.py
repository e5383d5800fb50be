"""What the precision session does, piece by piece."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._names import GOLDEN
from mpcheck.checks.golden import golden_paths
from mpcheck.records.record import Planned
from mpcheck.sessions.precision import PrecisionOptions
from mpcheck.sessions.precision.work import PrecisionWork, planned_cell, planned_golden
from mpcheck.sessions.run import Session

SYSTEMS = ("builtin:isolated", "builtin:water")


@pytest.fixture(scope="module")
def work(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> PrecisionWork:
    """Of two systems, one of which has golden values."""
    directory = tmp_path_factory.mktemp("baselines")
    for path in golden_paths(directory, "builtin:hco", SYSTEMS[1]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    options = PrecisionOptions(systems=SYSTEMS, blocks=("products.0.linear",), backends=("e3nn",), baselines=directory, cache=cache)
    return PrecisionWork(options)


def test_golden_values_come_first_then_cells_each_once(work: PrecisionWork) -> None:
    pieces = work.pieces()
    keys = [piece.planned.key for piece in pieces]
    assert keys[0] == f"{GOLDEN}/{SYSTEMS[1]}" and len(set(keys)) == len(keys)
    assert keys[1:] == [key.id for key in work.session.cells()]
    assert {piece.group for piece in pieces} == {SYSTEMS[1], *(f"{system}/products.0.linear" for system in SYSTEMS)}
    assert pieces[1].label == "builtin:isolated/products.0.linear-e3nn-float64-forward"


def test_labels_of_one_system_do_not_repeat_it(work: PrecisionWork) -> None:
    options = PrecisionOptions(systems=SYSTEMS[:1], blocks=("products.0.linear",), backends=("e3nn",), cache=work.session.options.cache)
    assert {piece.label.partition("-")[0] for piece in PrecisionWork(options, Session(options)).pieces()} == {"products.0.linear"}


def test_what_came_to_nothing_has_the_tensors_of_its_kind(work: PrecisionWork) -> None:
    cell = work.failed(planned_cell(work.session.cells()[0]), "raised")
    assert (cell.verdict, cell.reason, cell.tensors.block, cell.quantities) == ("fail", "raised", "leaf", [])
    golden = work.failed(planned_golden("builtin:water"), "raised")
    assert (golden.subject, [q.failures for q in golden.quantities]) == ("model", [["raised"]])
    assert isinstance(planned_golden("builtin:water"), Planned)


def test_a_damaged_golden_file_is_the_users_to_mend(work: PrecisionWork) -> None:
    from mpcheck._errors import InputError

    with pytest.raises(InputError, match="golden"):
        work.suite.compare_golden(SYSTEMS[1])


def test_what_the_user_left_out_is_told(work: PrecisionWork) -> None:
    assert work.pieces(), "what is left out is known once the work is planned"
    narrowed = work.narrowed()
    assert narrowed["backends"] == ["cueq"] and "products.0.linear" not in narrowed["blocks"] and narrowed["blocks"]
    assert "formats" not in narrowed
