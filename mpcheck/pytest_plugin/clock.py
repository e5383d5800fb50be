"""What the suite of the bench session needs of pytest-benchmark: rounds that were measured elsewhere, handed to it."""

from __future__ import annotations

from typing import Any


class RecordedClock:
    """The timer that pytest-benchmark reads while rounds measured in launches are replayed: it shows what they took."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds since the first replay."""
        return self.now

    def replay(self, benchmark: Any, rounds: list[float]) -> None:
        """Give a ``benchmark`` fixture these rounds, seconds of one call each; it must have been made with this timer."""
        left = iter(rounds)

        def call() -> None:
            self.now += next(left)

        benchmark.pedantic(call, rounds=len(rounds), iterations=1)


CLOCK = RecordedClock()
