"""Rounds that were measured elsewhere reach pytest-benchmark as they were."""

from __future__ import annotations

from collections.abc import Callable

from mpcheck.pytest_plugin.clock import RecordedClock


class Fixture:
    """What pytest-benchmark does with the clock it was made with."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.rounds: list[float] = []

    def pedantic(self, call: Callable[[], None], rounds: int, iterations: int) -> None:
        assert iterations == 1
        for _ in range(rounds):
            began = self.clock()
            call()
            self.rounds.append(self.clock() - began)


def test_replayed_rounds_take_what_they_took() -> None:
    clock, rounds = RecordedClock(), [0.25, 0.5, 0.125]
    first, second = Fixture(clock), Fixture(clock)
    clock.replay(first, rounds)
    clock.replay(second, rounds[::-1])
    assert (first.rounds, second.rounds) == (rounds, rounds[::-1])
    assert clock() == 2 * sum(rounds)
