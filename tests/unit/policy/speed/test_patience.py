"""Compilers that do not come back."""

from __future__ import annotations

import contextlib
import signal
import threading
import time

import pytest

from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.policy.speed.patience import within


def forever() -> None:
    while True:
        time.sleep(0.01)


def swallowing() -> None:
    """As compilers do: what was raised in them becomes an error of their own."""
    try:
        forever()
    except Exception:
        raise RuntimeError("cannot trace")  # noqa: B904 - they do not say from what


@pytest.mark.parametrize("work", [forever, swallowing])
def test_what_lasts_too_long_is_unsupported_and_the_alarm_is_put_back(work: object) -> None:
    before = signal.getsignal(signal.SIGALRM)

    def run() -> None:
        with within(0.05, "compilation"):
            work()  # type: ignore[operator]

    with pytest.raises(UnsupportedError, match="compilation did not end within 0 s") as refused:
        run()
    assert refused.value.why.code == "no-operation"
    assert signal.getsignal(signal.SIGALRM) == before and signal.getitimer(signal.ITIMER_REAL)[0] == 0.0


def test_what_ends_in_time_and_what_fails_by_itself_is_left_alone() -> None:
    def fails() -> None:
        with within(5.0, "compilation"):
            raise KeyError("own")

    with within(5.0, "compilation"):
        pass
    with pytest.raises(KeyError, match="own"):
        fails()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0.0


def test_in_another_thread_there_is_no_limit() -> None:
    ended: list[bool] = []

    def work() -> None:
        with contextlib.suppress(UnsupportedError), within(0.01, "compilation"):
            time.sleep(0.05)
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]
