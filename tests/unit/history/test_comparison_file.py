"""A comparison as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.history.compare import Comparison, compare
from mpcheck.history.comparison_file import read_comparison, write_comparison
from tests.unit.record_samples import cell, quantity, results, run


def of_cells(before: Any, after: Any) -> Comparison:
    return compare(results(run(*before)), results(run(*after)))


def test_comes_back_as_written(tmp_path: Path) -> None:
    found = of_cells([cell(), cell("old")], [cell(verdict="fail"), cell("young", [quantity(rms=None)])])
    path = tmp_path / "comparison.json"
    write_comparison(path, found)
    assert read_comparison(path) == found
    data = json.loads(path.read_text())
    for broken, words in (
        (data | {"suite": "precision"}, "suite is 'precision'"),
        (data | {"schema_version": 2}, "schema_version is 2"),
        (data | {"identical": -1}, "identical"),
        (data | {"more": 1}, "more"),
        (data | {"changes": [data["changes"][0] | {"kind": "odd"}]}, "kind"),
    ):
        path.write_text(json.dumps(broken))
        with pytest.raises(InputError, match=words):
            read_comparison(path)
    with pytest.raises(InputError, match="does not exist"):
        read_comparison(tmp_path / "none.json")
