"""Today's float64 values of the built-in model against the committed ones."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck._text import terminal
from mpcheck.results.items import first_changed

pytestmark = pytest.mark.mpcheck


def test_golden_float64(golden_system: str, mp_suite: Any, mp_record: Any) -> None:
    rows = mp_suite.judge_golden(golden_system)
    for row in rows:
        mp_record("golden", row)
    failed = [row for row in rows if row["failure"]]
    if failed:
        lines = "\n".join(terminal(f"  {row['name']}: {row['failure']}") for row in failed[:8])
        block = first_changed(rows)
        began = f", first in the output of {block}" if block else ", in no block's output"
        pytest.fail(
            terminal(f"float64 values of {golden_system} differ from baselines/numerics in {len(failed)} of {len(rows)} tensors{began}:")
            + f"\n{lines}",
            pytrace=False,
        )
