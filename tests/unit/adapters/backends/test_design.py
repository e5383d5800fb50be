"""The small architectures cover every pair of levels."""

from __future__ import annotations

import itertools

from mpcheck.adapters.backends.design import DESIGN


def test_design_covers_every_pair_that_converts() -> None:
    fields = ("interactions", "correlation", "hidden_l", "elements", "residual", "backend")
    rows = [c for c in DESIGN if c.correlation > 1]
    levels = {f: sorted({getattr(c, f) for c in rows}) for f in fields}
    assert levels["interactions"] == [1, 2, 3] and levels["hidden_l"] == [0, 1, 2] and levels["correlation"] == [2, 3]
    missing = {
        (a, x, b, y)
        for a, b in itertools.combinations(fields, 2)
        for x, y in itertools.product(levels[a], levels[b])
        if not any((getattr(c, a), getattr(c, b)) == (x, y) for c in rows)
    }
    left_out = {("interactions", 3, "hidden_l", 2)}
    assert missing == left_out
    assert any(c.correlation == 1 for c in DESIGN)
