"""The pytest plugin's part of the bench session: its options, one test a benchmark, its rounds handed to pytest-benchmark."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck._raised import Raised, attempt_unless_refused
from mpcheck.pytest_plugin import plan as plugin_plan
from mpcheck.pytest_plugin import run as plugin_run
from mpcheck.pytest_plugin.options import formats, make_options, names

ALONE = "the bench session measures in processes of its own, one at a time: run it without -n"
_RUN: pytest.StashKey[Any] = pytest.StashKey()


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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the bench session."""
    group = parser.getgroup("mpcheck")
    add = group.addoption
    add("--mp-batch", default="1", metavar="N,N", help="bench: repeat a system's frames so often in one graph batch")
    add("--mp-work", default="", metavar="WORK", help="bench: forward, forward+backward (blocks), energy, energy+forces (model); default: all")
    add("--mp-against", default="", metavar="ENV|REF", help="bench: base against head: a Python environment, or a commit of this repository")
    add("--mp-launches", default=0, type=int, metavar="N", help="bench: at least so many launches (processes)")
    add("--mp-seconds", default=0.0, type=float, metavar="S", help="bench: start no further launch after so many seconds")
    add("--mp-margin", default=0.0, type=float, metavar="X", help="bench: relative slow-down that is let be, e.g. 0.02")
    add("--mp-flush-l2", action="store_true", help="bench: clear a GPU's L2 cache before every timed call")
    add("--mp-threads", default=1, type=int, metavar="N", help="bench: threads of a launch, each on a processor of its own")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse xdist before it starts its workers: each would only say so with a traceback."""
    if not getattr(config.option, "numprocesses", None):
        return
    from mpcheck.sessions.launch import suite_path

    suite, here = suite_path("bench").resolve(), config.invocation_params.dir
    if any((here / str(argument).partition("::")[0]).resolve().is_relative_to(suite) for argument in config.args):
        pytest.exit(f"mpcheck: error: {ALONE}", returncode=2)


def bench_options(config: pytest.Config) -> Any:
    """The session's options from pytest's.

    Raises:
        InputError: numbers out of range; several workers.
    """
    from mpcheck.bench.keys import BLOCK_WORK, MODEL_WORK, check_work
    from mpcheck.sessions.bench.options import BenchOptions, parse_batches

    if hasattr(config, "workerinput"):
        raise InputError(ALONE)
    numbers = {name: config.getoption(f"--mp-{name}") for name in ("launches", "seconds", "margin", "threads")}
    directory = config.getoption("--mp-baselines")
    return BenchOptions(
        session=replace(make_options(config), formats=formats(config)),
        batches=parse_batches(names(config, "--mp-batch")),
        works=check_work(names(config, "--mp-work")) or (*BLOCK_WORK, *MODEL_WORK),
        against=str(config.getoption("--mp-against")),
        directory=Path(directory) if directory else Path("baselines"),
        flush_l2=bool(config.getoption("--mp-flush-l2")),
        **numbers,
    )


def get_run(config: pytest.Config) -> Any:
    """The session, built at first use; bad input ends pytest with one line and status 2."""
    if _RUN not in config.stash:
        from mpcheck.sessions.bench.run import BenchRun
        from mpcheck.sessions.bench.unplanned import UnplannedRun

        try:
            options = bench_options(config)
            found = attempt_unless_refused(lambda: BenchRun(options))
            config.stash[_RUN] = UnplannedRun(options, found) if isinstance(found, Raised) else found
        except InputError as error:
            plugin_run.refuse(config, error)
        plugin_run.adopt(config, config.stash[_RUN].session)
    return config.stash[_RUN]


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize ``bench_key`` over the benchmarks."""
    if "bench_key" in metafunc.fixturenames:
        from mpcheck.sessions import work

        run = get_run(metafunc.config)
        every = run.every
        plugin_plan.add(metafunc.config, "bench", [*map(work.planned_benchmark, every), work.PLANNED_GONE])
        metafunc.config.stash[plugin_plan.NARROWED] = run.left_out()
        metafunc.parametrize("bench_key", [pytest.param(key, id=key.id, marks=[pytest.mark.xdist_group(key.id)]) for key in every])


@pytest.fixture(scope="session")
def mp_bench(request: pytest.FixtureRequest) -> Any:
    """The session that the --mp options describe, measured."""
    run = get_run(request.config)
    try:
        run.findings  # noqa: B018 - measures everything, now
    except InputError as error:
        plugin_run.refuse(request.config, error)
    return run


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, Any]:
    """Write the figures that `mpcheck baseline update` stores, before the plugin writes the records."""
    _write_figures(session)
    return (yield)


def _write_figures(session: pytest.Session) -> None:
    run, out = session.config.stash.get(_RUN, None), session.config.getoption("--mp-out")
    if run is None or out is None or "findings" not in vars(run) or not run.keys:
        return
    from mpcheck.history.latency.baseline import write_baseline
    from mpcheck.report.pictures.ranges import Sample
    from mpcheck.report.pictures.sessions import write_bench_picture

    document = run.document()
    if document is not None:
        write_baseline(Path(out) / "bench-figures.json", document)
    samples = (Sample(f"{k.system}*{k.batch}", k.subject, k.work, f"{k.backend} {k.format}", run.seconds(k)) for k in run.keys)
    write_bench_picture(Path(out) / "bench.svg", run.session.model.name, samples)
    plugin_run.note(session.config, run.notes)


__all__ = ["CLOCK", "RecordedClock", "bench_options", "get_run", "mp_bench"]
