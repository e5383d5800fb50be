"""Histories are appended to regular files, line by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpcheck._files.lines import append_line
from mpcheck.history.gates import entry_of as gate_entry
from tests.unit import report_samples
from tests.unit.files.irregular import MAKERS


@pytest.mark.parametrize("make", MAKERS)
def test_a_history_is_appended_to_a_file_only(make: Callable[[Path], None], place: Path) -> None:
    path = place / "h.jsonl"
    make(path)
    with pytest.raises(Exception, match="not a file"):
        append_line(path, gate_entry(report_samples.green()), "history")
