"""The pytest plugin: options, header, one test per cell, records collected from every worker, state kept unchanged."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mpcheck import __version__
from mpcheck._errors import PREFIX, InputError
from mpcheck._text import duration, terminal
from mpcheck.pytest_plugin import plan as plugin_plan
from mpcheck.pytest_plugin import run as plugin_run
from mpcheck.pytest_plugin import words as plugin_words
from mpcheck.pytest_plugin.collector import RECORD, Collector
from mpcheck.pytest_plugin.forks import take_over
from mpcheck.pytest_plugin.options import OUT, add_options, given
from mpcheck.records.record import Record
from mpcheck.records.shards import divide, parse_shard

_ELSEWHERE: pytest.StashKey[Sequence[str]] = pytest.StashKey()
PIECE = "mp_piece"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options, all prefixed ``--mp-``; several names are separated by commas."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Markers, and under xdist a worker per block, so that no two workers build the same reference."""
    config.addinivalue_line("markers", "mpcheck: a test that judges cells of the run given by --mp options")
    config.addinivalue_line("markers", "mpcheck_suite(name): a test that does a piece of a session's work, which it takes as mp_piece")
    config.stash[plugin_run.BEGAN] = time.perf_counter()
    if config.pluginmanager.hasplugin("xdist") and getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadgroup"
    if getattr(config.option, "numprocesses", None):  # before xdist starts its workers: each would only say so with a traceback
        from mpcheck.sessions.launch import suites_in

        if alone := next((spec for spec in suites_in(config.args, config.invocation_params.dir) if not spec.parallel), None):
            pytest.exit(f"{PREFIX}the {alone.name} session measures in processes of its own, one at a time: run it without -n", returncode=2)
        take_over(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Versions, device and ambient flags."""
    from mpcheck.records.environment import describe

    device = given(config, "device")
    facts = describe(device)
    packages = ", ".join(f"{k} {v}" for k, v in facts["packages"].items() if k != "mpcheck")
    flags = facts["flags"]
    return [
        terminal(f"mpcheck {__version__}: {packages}"),
        terminal(
            f"mpcheck device: {device} ({facts['device_name']}), {facts['threads']} threads, default dtype {flags['default_dtype']}, "
            f"TF32 matmul {flags['cuda_matmul_allow_tf32']}, cuDNN {flags['cudnn_allow_tf32']}"
        ),
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize ``mp_piece`` over the work of the session that the test's ``mpcheck_suite`` marker names."""
    if PIECE not in metafunc.fixturenames:
        return
    config, marker = metafunc.config, metafunc.definition.get_closest_marker("mpcheck_suite")
    if marker is None:
        raise pytest.UsageError(f"{metafunc.definition.nodeid} takes {PIECE} but has no mpcheck_suite marker")
    name = marker.args[0]
    try:
        work = plugin_run.get_work(config, name)
        pieces = work.pieces()
        marks = _grouped(config, [piece.group for piece in pieces])
        plugin_plan.add(config, name, [piece.planned for piece in pieces])
        config.stash[plugin_plan.NARROWED] = work.narrowed()
        config.stash[plugin_plan.OUTLOOK] = work.outlook()
    except InputError as error:
        plugin_run.refuse(config, error)
    metafunc.parametrize(PIECE, [pytest.param(piece, id=piece.label, marks=[mark]) for piece, mark in zip(pieces, marks, strict=True)])


def _grouped(config: pytest.Config, groups: Sequence[str]) -> list[pytest.MarkDecorator]:
    """Marks that keep together what shares a reference: on one worker of xdist, in one shard.

    Raises:
        InputError: more shards than groups. Here, while tests are made, because a worker of xdist that ends later is started again.
    """
    if text := given(config, "shard"):
        divide(groups, parse_shard(text).of)
    return [pytest.mark.xdist_group(group) for group in groups]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave only the shard's tests. They are divided in the order of the plan, so that every machine divides them alike."""
    text = given(config, "shard")
    ours = [(_key_of(item), item) for item in items if item.get_closest_marker("mpcheck")]
    if not text or not ours or plugin_run.BAD_INPUT in config.stash:  # a worker of xdist gets here with what it could not collect
        return
    places = config.stash.get(plugin_plan.PLACES, {})
    ours.sort(key=lambda entry: places.get(entry[0], 0))
    try:
        shard = parse_shard(text)
        parts = divide([plugin_plan.group_of(item) for _, item in ours], shard.of, [plugin_plan.weight_of(item) for _, item in ours])
    except InputError as error:
        plugin_run.refuse(config, error)
    left = {id(item): key for (key, item), part in zip(ours, parts, strict=True) if part != shard.number}
    config.stash[_ELSEWHERE] = list(left.values())
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left])
    items[:] = [item for item in items if id(item) not in left]


def _key_of(item: pytest.Item) -> str:
    piece = plugin_plan.piece_of(item)
    return piece.planned.key if piece is not None else item.nodeid


@pytest.hookimpl(tryfirst=True)  # before xdist tells the controller that the worker has collected
def pytest_collection_finish(session: pytest.Session) -> None:
    """What is left is the plan: written down before anything of it is done."""
    config = session.config
    if plugin_plan.PLAN not in config.stash or config.option.collectonly:
        return
    plan = plugin_plan.describe(config, session.items, config.stash.get(_ELSEWHERE, []))
    if plugin_run.is_worker(config):
        plugin_plan.write(config.workerinput[plugin_plan.FILE], plan)  # type: ignore[attr-defined]  # xdist's
    else:
        plugin_run.begin_run(config, plan)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist where to write the plan."""
    if plugin_run.PLAN_FILE not in node.config.stash:
        node.config.stash[plugin_run.PLAN_FILE] = tempfile.mkdtemp(prefix="mpcheck-plan-")
    node.workerinput[plugin_plan.FILE] = str(Path(node.config.stash[plugin_run.PLAN_FILE]) / f"{node.gateway.id}.json")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: Sequence[str]) -> None:
    """The first worker's plan is everybody's."""
    path = Path(node.workerinput[plugin_plan.FILE])
    if path.is_file() and not plugin_run.collector_of(node.config).suite:
        plugin_run.begin_run(node.config, plugin_plan.read(str(path)))


@pytest.fixture
def mp_work(request: pytest.FixtureRequest) -> Any:
    """The work of the session that the test's ``mpcheck_suite`` marker names, as the --mp options describe it."""
    marker = request.node.get_closest_marker("mpcheck_suite")
    return plugin_run.get_work(request.config, marker.args[0])


@pytest.fixture
def mp_records(request: pytest.FixtureRequest) -> Any:
    """Call it: the test's piece of work is done, and its records reach the report, also from an xdist worker."""

    @cache
    def records() -> list[Record]:
        from mpcheck.sessions.pieces import numbered

        piece = plugin_plan.piece_of(request.node)
        assert piece is not None, "a test that has records has a planned piece of work"
        try:
            made = numbered(piece.planned, request.getfixturevalue("mp_work").records(piece))
        except InputError as error:
            plugin_run.refuse(request.config, error)
        request.node.stash[_RECORDS] = made
        return made

    return records


@pytest.fixture
def mp_conclude(mp_records: Any) -> Any:
    """Call it: the test's piece of work is done, and the test ends as its records say."""

    def conclude() -> None:
        records = mp_records()
        text, skip = plugin_words.failures(records), plugin_words.unsupported(records)
        if text:
            pytest.fail(text, pytrace=False)
        if skip:
            pytest.skip(skip)

    return conclude


_RECORDS: pytest.StashKey[list[Record]] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that leaves torch's process-wide state otherwise than it found it, and put that back; the suite's own run in a neutral one."""
    from contextlib import nullcontext

    from mpcheck import _torch_state

    ours = item.get_closest_marker("mpcheck") is not None
    with _torch_state.neutral() if ours else nullcontext(), _torch_state.kept() as before:  # also where the test fails
        result = yield
        changed = before.differences(_torch_state.read())
    if changed:
        pytest.fail(terminal(f"the test changed process-wide state: {'; '.join(changed)}"), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Attach a test's records to its report; attributes survive xdist's serialisation."""
    report = yield
    if call.when == "call":
        setattr(report, RECORD, [record.model_dump() for record in item.stash.get(_RECORDS, [])])
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Bad input found while collecting ends the run at once with its one line, instead of a collection error's traceback."""
    report = yield
    error = collector.config.stash.get(plugin_run.BAD_INPUT, None)
    reported = any(hasattr(plugin, "mpcheck_reports_refusals") for plugin in collector.config.pluginmanager.get_plugins())
    if error is not None and not reported and not plugin_run.is_worker(collector.config):
        raise pytest.exit.Exception(error, returncode=2)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Collect on the controller only; what an earlier run left there is not this one's."""
    config = session.config
    if plugin_run.is_worker(config):
        return
    config.pluginmanager.register(Collector(), "mpcheck-collector")
    if (out := config.getoption(OUT)) and not config.option.collectonly:
        from mpcheck.sessions.finish import set_aside
        from mpcheck.sessions.launch import suites_in

        for spec in suites_in(config.args, config.invocation_params.dir):
            set_aside(Path(out), spec.name)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, Any, Any]:
    """Write records, whatever happened; the exit status is that of their outcome. Before others write theirs: JUnit's file says it, too."""
    plugin_run.finish_run(session)
    return (yield)


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """The table: block x format, worst ratio; or the findings of a symmetry or audit session."""
    ended = config.stash.get(plugin_run.COLLECTED, {})
    if not ended:
        return
    from mpcheck.report.standing import hint
    from mpcheck.sessions.finish import shown

    terminalreporter.ensure_newline()
    notes, color = config.stash.get(plugin_run.NOTES, []), terminalreporter.hasmarkup
    terminalreporter.write(shown(ended["run"], notes, color, whole=config.option.verbose > 0))
    took = [f"took {duration(ended['run'].seconds)}"] if ended["run"].seconds >= 1.0 else []
    wrote = plugin_words.written(ended["out"])
    for line in [*hint(ended["run"]), *config.stash.get(plugin_run.SAID, []), *wrote, *took]:
        terminalreporter.write_line(terminal(line))
