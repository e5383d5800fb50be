"""The pytest plugin: options, header, one test per cell, records collected from every worker, state kept unchanged."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from mpcheck import __version__
from mpcheck._errors import InputError
from mpcheck._text import terminal
from mpcheck.plugin_collector import PLACE, RECORD, Collector
from mpcheck.plugin_options import add_options, make_options, names

_SESSION: pytest.StashKey[Any] = pytest.StashKey()
_SUITE: pytest.StashKey[Any] = pytest.StashKey()
_COLLECTED: pytest.StashKey[dict[str, dict[str, Any]]] = pytest.StashKey()
_BEGAN: pytest.StashKey[float] = pytest.StashKey()
_BAD_INPUT: pytest.StashKey[str] = pytest.StashKey()
_INSPECTING: pytest.StashKey[str] = pytest.StashKey()
_NOTES: pytest.StashKey[Sequence[str]] = pytest.StashKey()
_PLACE: pytest.StashKey[int] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options, all prefixed ``--mp-``; several names are separated by commas."""
    add_options(parser)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def refuse(config: pytest.Config, error: InputError) -> NoReturn:
    """End pytest with one line and status 2."""
    config.stash[_BAD_INPUT] = f"mpcheck: error: {error}"
    pytest.exit(config.stash[_BAD_INPUT], returncode=2)


def adopt(config: pytest.Config, suite: str, session: Any) -> None:
    """Findings of this run belong to a suite that made its session itself."""
    config.stash[_SESSION], config.stash[_INSPECTING] = session, suite


def note(config: pytest.Config, lines: Sequence[str]) -> None:
    """Lines that a reader of the findings must see."""
    config.stash[_NOTES] = lines


def get_session(config: pytest.Config) -> Any:
    """The run, built at first use; bad input ends pytest with one line and status 2."""
    if _SESSION not in config.stash:
        from mpcheck.session import Session

        try:
            config.stash[_SESSION] = Session(make_options(config))
        except InputError as error:
            refuse(config, error)
    return config.stash[_SESSION]


def get_suite(config: pytest.Config) -> Any:
    """The run with its baselines: what the suite's tests call."""
    from mpcheck.suite import Suite

    if _SUITE not in config.stash:
        directory = config.getoption("--mp-baselines")
        try:
            config.stash[_SUITE] = Suite(get_session(config), Path(directory) if directory else Path("baselines"))
        except InputError as error:
            refuse(config, error)
    return config.stash[_SUITE]


def pytest_configure(config: pytest.Config) -> None:
    """Markers, and under xdist a worker per block, so that no two workers build the same reference."""
    config.addinivalue_line("markers", "mpcheck: a test that judges cells of the run given by --mp options")
    config.addinivalue_line("markers", "mpcheck_suite(name): a test that does the work of a session: symmetry or audit")
    config.stash[_COLLECTED] = {}
    config.stash[_BEGAN] = time.perf_counter()
    if config.pluginmanager.hasplugin("xdist") and getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadgroup"


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Versions, device and ambient flags."""
    from mpcheck.environment import describe

    device = str(config.getoption("--mp-device"))
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
    """Parametrize ``cell_key`` over the run's cells and ``golden_system`` over the systems with golden values."""
    if "cell_key" in metafunc.fixturenames:
        suite = get_suite(metafunc.config)
        try:
            keys = suite.session.cells()
            groups = _grouped(metafunc.config, [f"{key.system}/{key.block}" for key in keys])
        except InputError as error:
            refuse(metafunc.config, error)
        several = len(suite.session.systems) > 1
        parameters = [
            pytest.param(key, id=(f"{key.system}/" if several else "") + f"{key.block}-{key.backend}-{key.format}-{key.direction}", marks=[group])
            for key, group in zip(keys, groups, strict=True)
        ]
        metafunc.parametrize("cell_key", parameters)
    if "inspection_key" in metafunc.fixturenames:
        _parametrize_inspections(metafunc)
    if "golden_system" in metafunc.fixturenames:
        metafunc.parametrize("golden_system", get_suite(metafunc.config).golden_systems())


def _parametrize_inspections(metafunc: pytest.Metafunc) -> None:
    """``inspection_key`` over the work of the session that the test's ``mpcheck_suite`` marker names."""
    from mpcheck import inspections

    config, marker = metafunc.config, metafunc.definition.get_closest_marker("mpcheck_suite")
    if marker is None:
        raise pytest.UsageError(f"{metafunc.definition.nodeid} takes inspection_key but has no mpcheck_suite marker")
    try:
        keys = inspections.keys(marker.args[0], get_session(config), names(config, "--mp-check"))
        groups = _grouped(config, [f"{key.check}/{key.system}/{key.subject.partition('.')[0]}" for key in keys])
    except InputError as error:
        refuse(config, error)
    config.stash[_INSPECTING] = marker.args[0]
    metafunc.parametrize("inspection_key", [pytest.param(key, id=key.id, marks=[group]) for key, group in zip(keys, groups, strict=True)])


def _grouped(config: pytest.Config, groups: Sequence[str]) -> list[pytest.MarkDecorator]:
    """Marks that keep together what shares a reference: on one worker of xdist, in one shard.

    Raises:
        InputError: more shards than groups. Here, while tests are made, because a worker of xdist that ends later is started again.
    """
    from mpcheck.shards import divide, parse_shard

    if text := str(config.getoption("--mp-shard")):
        divide(groups, parse_shard(text).of)
    return [pytest.mark.xdist_group(group) for group in groups]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Number the tests, so that their records get into this order whichever worker makes them, and leave only the shard's."""
    from mpcheck.shards import divide, parse_shard

    for place, item in enumerate(items):
        item.stash[_PLACE] = place
    text = str(config.getoption("--mp-shard"))
    ours = [item for item in items if item.get_closest_marker("mpcheck")]
    if not text or not ours or _BAD_INPUT in config.stash:  # a worker of xdist gets here with what it could not collect
        return
    markers = [item.get_closest_marker("xdist_group") for item in ours]
    try:
        shard = parse_shard(text)
        parts = divide([None if marker is None else str((*marker.args, *marker.kwargs.values())[0]) for marker in markers], shard.of)
    except InputError as error:
        refuse(config, error)
    left = {id(item) for item, part in zip(ours, parts, strict=True) if part != shard.number}
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left])
    items[:] = [item for item in items if id(item) not in left]


@pytest.fixture(scope="session")
def mp_session(request: pytest.FixtureRequest) -> Any:
    """The run that the --mp options describe, without baselines."""
    return get_session(request.config)


@pytest.fixture(scope="session")
def mp_suite(request: pytest.FixtureRequest) -> Any:
    """The run that the --mp options describe."""
    return get_suite(request.config)


@pytest.fixture
def mp_record(request: pytest.FixtureRequest) -> Any:
    """Call it with a record: it reaches the report, also from an xdist worker."""

    def keep(kind: str, data: dict[str, Any]) -> None:
        request.node.stash.setdefault(_RECORDS, []).append((kind, data))

    return keep


_RECORDS: pytest.StashKey[list[tuple[str, dict[str, Any]]]] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that leaves the default dtype, TF32 or reduction flags otherwise than it found them; put them back."""
    import torch

    from mpcheck.environment import ambient_flags

    before = ambient_flags()
    try:
        result = yield
    finally:  # also where the test fails: the next one must not inherit it
        after = ambient_flags()
        if before != after:
            torch.set_default_dtype(getattr(torch, before["default_dtype"]))
            torch.backends.cuda.matmul.allow_tf32 = before["cuda_matmul_allow_tf32"]
            torch.backends.cudnn.allow_tf32 = before["cudnn_allow_tf32"]
    if before != after:
        changed = [f"{k}: {before[k]} -> {after[k]}" for k in before if before[k] != after[k]]
        pytest.fail(terminal(f"the test changed process-wide state: {'; '.join(changed)}"), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Attach a test's records to its report; attributes survive xdist's serialisation."""
    report = yield
    if call.when == "call":
        setattr(report, RECORD, item.stash.get(_RECORDS, []))
        setattr(report, PLACE, item.stash.get(_PLACE, 0))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Bad input found while collecting ends the run at once with its one line, instead of a collection error's traceback."""
    report = yield
    error = collector.config.stash.get(_BAD_INPUT, None)
    reported = any(hasattr(plugin, "mpcheck_reports_refusals") for plugin in collector.config.pluginmanager.get_plugins())
    if error is not None and not reported and not _is_worker(collector.config):
        raise pytest.exit.Exception(error, returncode=2)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Collect on the controller only."""
    if not _is_worker(session.config):
        session.config.pluginmanager.register(Collector(session.config), "mpcheck-collector")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write records; a run that judged nothing is not a pass."""
    config = session.config
    if _is_worker(config):
        return
    from mpcheck.session import clear_progress

    clear_progress()
    collector = config.pluginmanager.get_plugin("mpcheck-collector")
    if collector is None or not (collector.placed["cell"] or collector.placed["finding"]):
        return
    from mpcheck.report.finish import finish, finish_findings

    session_ = get_session(config)
    if session_.options.shard:
        session_.options = replace(session_.options, shard_rows=collector.places())
    options, seconds, out = (
        session_.options,
        time.perf_counter() - config.stash[_BEGAN],
        config.getoption("--mp-out"),
    )
    if found_rows := collector.rows("finding"):
        found = finish_findings(config.stash[_INSPECTING], session_, found_rows, seconds, out, config.stash.get(_NOTES, []))
        config.stash[_COLLECTED]["findings"] = found
        if found["judged"] == 0 and session.exitstatus == 0:
            session.exitstatus = 2
    if not (cells := collector.rows("cell")):
        return
    run, written = finish(options, session_, cells, collector.rows("golden"), seconds, out)
    config.stash[_COLLECTED]["run"] = {"run": run, "out": written}
    judged = [c for c in run.cells if c.verdict != "unsupported"]
    if not judged and session.exitstatus == 0:
        session.exitstatus = 2


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """The table: block x format, worst ratio; or the findings of a symmetry or audit session."""
    inspected = config.stash[_COLLECTED].get("findings")
    if inspected:
        from mpcheck.report.finish import show_findings

        terminalreporter.ensure_newline()
        terminalreporter.write(show_findings(inspected["run"], config.stash.get(_NOTES, []), color=terminalreporter.hasmarkup))
        if inspected["judged"] == 0:
            terminalreporter.write_line("mpcheck: error: nothing was judged; choose another --mp-device, --mp-backend or --mp-format")
        for path in inspected["out"]:
            terminalreporter.write_line(terminal(f"wrote {path}"))
    found = config.stash[_COLLECTED].get("run")
    if not found:
        return
    from mpcheck.report.terminal import render

    terminalreporter.ensure_newline()
    terminalreporter.write(render(found["run"], color=terminalreporter.hasmarkup))
    if all(c.verdict == "unsupported" for c in found["run"].cells):
        reasons = sorted({c.reason for c in found["run"].cells})
        terminalreporter.write_line(
            terminal(f"mpcheck: error: nothing was judged: {reasons[0]}; choose another --mp-device, --mp-backend or --mp-format")
        )
    for path in found["out"]:
        terminalreporter.write_line(terminal(f"wrote {path}"))
