"""One run of the plugin: what is built for it, what it planned, how it ended, and the records of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from mpcheck._errors import PREFIX, InputError
from mpcheck._text import terminal
from mpcheck.pytest_plugin import words as plugin_words
from mpcheck.pytest_plugin.options import OUT, options_of
from mpcheck.records.record import Planned
from mpcheck.sessions.options import resolve
from mpcheck.sessions.registry import get

WORK: pytest.StashKey[tuple[str, Any]] = pytest.StashKey()
COLLECTED: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
BEGAN: pytest.StashKey[float] = pytest.StashKey()
BAD_INPUT: pytest.StashKey[str] = pytest.StashKey()
NOTES: pytest.StashKey[Sequence[str]] = pytest.StashKey()
PLAN_FILE: pytest.StashKey[str] = pytest.StashKey()
SAID: pytest.StashKey[list[str]] = pytest.StashKey()


def is_worker(config: pytest.Config) -> bool:
    """Whether this is a worker of xdist."""
    return hasattr(config, "workerinput")


def refuse(config: pytest.Config, error: InputError) -> NoReturn:
    """End pytest with one line and status 2."""
    config.stash[BAD_INPUT] = f"{PREFIX}{error}"
    pytest.exit(config.stash[BAD_INPUT], returncode=2)


def get_work(config: pytest.Config, name: str) -> Any:
    """The work of a session, built at first use; bad input ends pytest with one line and status 2, and so do two sessions: records are of one."""
    begun, work = config.stash.get(WORK, ("", None))
    try:
        if begun and begun != name:
            raise InputError(f"one run is of one session, not of {begun} and {name}: run them one after the other")
        if not begun:
            spec = get(name)
            work = resolve(spec.work)(options_of(config, spec))
            config.stash[WORK] = name, work
    except InputError as error:
        refuse(config, error)
    return work


def collector_of(config: pytest.Config) -> Any:
    """What gathers the records, on the controller; None on a worker."""
    return config.pluginmanager.get_plugin("mpcheck-collector")


def begin_run(config: pytest.Config, plan: Mapping[str, Any]) -> None:
    """Take a plan over, and write records that say that the run has begun and not ended."""
    collector = collector_of(config)
    collector.suite, collector.keys, collector.places, collector.narrowed = plan["suite"], plan["keys"], plan["places"], plan["narrowed"]
    collector.planned = {data["key"]: Planned.model_validate(data) for data in plan["planned"]}
    if not collector.planned:
        return
    if plan["outlook"] and (reporter := config.pluginmanager.get_plugin("terminalreporter")) is not None:
        reporter.ensure_newline()
        reporter.write_line(terminal(f"{len(collector.planned)} tests; {plan['outlook']}"))
    from mpcheck.sessions.finish import begin

    try:
        config.stash[SAID] = begin(accounts_of(config, "running"), get_work(config, collector.suite).session, config.getoption(OUT))
    except InputError as error:
        refuse(config, error)


def accounts_of(config: pytest.Config, state: str, why: str = "") -> Any:
    """What the records say of the run itself."""
    from mpcheck.sessions.finish import Accounts

    collector = collector_of(config)
    return Accounts(collector.suite, list(collector.planned.values()), state, why, collector.narrowed)


def finish_run(session: pytest.Session) -> None:
    """Write the records, whatever happened; the exit status is that of their outcome."""
    config = session.config
    if is_worker(config):
        return
    from mpcheck._progress import PROGRESS

    PROGRESS.clear()
    shutil.rmtree(config.stash.get(PLAN_FILE, ""), ignore_errors=True)
    collector = collector_of(config)
    if collector is None or not collector.planned:
        return
    from mpcheck.records.outcome import STATUS, outcome
    from mpcheck.report.standing import standing
    from mpcheck.sessions import finish

    out = config.getoption(OUT)
    if BAD_INPUT in config.stash:  # nothing is wrong with the judged code, and nothing is known of it
        finish.withdraw(out, collector.suite)
        return
    work = get_work(config, collector.suite)
    collector.account(work.failed)
    accounts = accounts_of(config, *ended(session, collector))
    if work.session.options.shard:
        work.session.options = replace(work.session.options, shard_rows=collector.told_places())
    if out:
        work.write_beside(Path(out))
    config.stash[NOTES] = work.notes()
    seconds = time.perf_counter() - config.stash[BEGAN]
    document, files = finish.finish(accounts, work.session, collector.ordered(), seconds, out, config.stash[NOTES])
    config.stash[COLLECTED] = {"run": document, "out": files}
    came = outcome(document)
    plugin_words.tell_junit(config, came, standing(document))
    status = STATUS[came]
    if int(session.exitstatus) in (0, 2, 5) or status == 1:  # 1: tests failed, maybe somebody else's
        session.exitstatus = status


def ended(session: pytest.Session, collector: Any) -> tuple[str, str]:
    """State of the run, and why it is not a complete one."""
    if collector.interrupted:
        return ("crashed" if collector.interrupted.startswith("internal error") else "interrupted"), collector.interrupted
    stopped = str(session.shouldfail or session.shouldstop or "")
    return ("interrupted", stopped) if stopped else ("complete", "")
