"""The yardstick that stored figures are told in."""

from __future__ import annotations

from mpcheck.bench.decide.units import CHOOSING, yardstick_of
from mpcheck.bench.figures import Launch


def test_the_yardstick_that_varies_least_is_chosen_where_there_are_launches_enough() -> None:
    def launch(i: int) -> Launch:
        normalised = {"all": 1 + 0.02 * (-1) ** i, "matmul": 5 + 0.001 * i, "stream": 2 + 0.1 * (-1) ** i}
        return Launch(quantiles=[1.0] * 5, normalised=normalised, rounds=1, calls=1, first_call=1.0)

    assert yardstick_of([launch(i) for i in range(CHOOSING)]) == "matmul"
    assert yardstick_of([launch(i) for i in range(CHOOSING - 1)]) == "all"
    lacking = launch(0).model_copy(update={"normalised": {"all": 1.0}})
    assert yardstick_of([*(launch(i) for i in range(CHOOSING)), lacking]) == "all"
