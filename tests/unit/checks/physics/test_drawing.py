"""Arguments of formulae: fewer rows of those that there are, and others over the whole domain."""

from __future__ import annotations

import numpy as np
import torch

from mpcheck.adapters.facts.blocks import BlockFacts
from mpcheck.checks.physics.drawing import ELEMENTS, FEWEST, LONGEST, SHORTEST, drawn, thinned

ROWS = {"x": 0, "y": 1}


def inputs(rows: int, width: int = 100) -> dict[str, torch.Tensor]:
    number = torch.arange(rows, dtype=torch.float64)
    return {"x": number[:, None].expand(rows, width), "y": number.expand(2, rows), "whole": torch.ones(3)}


def test_rows_of_all_arguments_are_thinned_alike_and_stay_in_order() -> None:
    chosen = thinned(inputs(5000), BlockFacts("f", rows=ROWS), seed=1)
    kept = chosen["y"][0]
    assert chosen["x"].shape == (ELEMENTS // 100, 100) and torch.equal(chosen["x"][:, 0], kept)
    assert bool((kept.diff() > 0).all()) and float(kept[-1]) > 4000 and torch.equal(chosen["whole"], torch.ones(3))


def test_few_rows_and_rows_that_do_not_match_are_all_kept() -> None:
    assert thinned(inputs(FEWEST), BlockFacts("f", rows=ROWS, parameters={"w": np.zeros(10**9 // 8, dtype=bool)}), 0)["x"].shape[0] == FEWEST
    uneven = inputs(5000) | {"y": torch.ones(2, 7)}
    assert thinned(uneven, BlockFacts("f", rows=ROWS), 0)["x"].shape[0] == 5000


def test_domains_are_covered() -> None:
    given = {"r": torch.ones(4000, 1), "v": torch.ones(4000, 3), "h": torch.full((4000, 2), 3.0), "kept": torch.ones(2)}
    made = drawn(given, BlockFacts("f", domain={"r": "length", "v": "vector", "h": "normal", "gone": "length"}), r_max=5.0, seed=3)
    for lengths in (made["r"], made["v"].norm(dim=1)):
        assert 5 * SHORTEST <= float(lengths.min()) < 6 * SHORTEST and 4.9 * LONGEST < float(lengths.max()) <= 5.001 * LONGEST
    assert abs(float(made["v"].mean())) < 0.1 and 2.9 < float(made["h"].std()) < 3.1
    assert made["kept"] is given["kept"] and made["r"].dtype == torch.float32 and set(made) == set(given)
