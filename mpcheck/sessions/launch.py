"""Start one of the suites under pytest, from a checkout or from an installed wheel, with no configuration of anybody's."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mpcheck._errors import PREFIX, InputError
from mpcheck._files.io import is_file
from mpcheck._files.outputs import model_and_systems, refuse_outputs
from mpcheck._progress import PROGRESS
from mpcheck._text import say, say_lines
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.registry import sessions


def suite_path(spec: SessionSpec) -> Path:
    """A suite's tests: in the session's own folder, inside the package in a wheel, or beside it in a checkout."""
    package = Path(str(resources.files("mpcheck")))
    if not spec.folder:
        return Path(str(resources.files(spec.work.partition(":")[0].rpartition(".")[0]))) / "suite"
    inside = package / "_suite" / spec.folder
    return inside if inside.is_dir() else package.parent / "tests" / spec.folder


def suites_in(arguments: Sequence[str], here: Path) -> list[SessionSpec]:
    """Sessions whose tests pytest is asked to run.

    Args:
        arguments: of pytest: paths, maybe with ``::TEST``; here: what they are relative to.
    """
    asked = [(here / str(argument).partition("::")[0]).resolve() for argument in arguments]
    suites = [(spec, suite_path(spec).resolve()) for spec in sessions().values() if spec.work]
    return [spec for spec, place in suites if any(path.is_relative_to(place) for path in asked)]


CPU = "cpu"


class _Refusals:
    """Why a collection failed, which pytest tells only in the summary that is left out here; and what kept tests from beginning.

    Attributes:
        texts: bad input. broken: what else a collection failed with. crashes: of fixtures, how many tests each.
    """

    mpcheck_reports_refusals = True

    def __init__(self) -> None:
        self.texts: dict[str, None] = {}
        self.broken: dict[str, None] = {}
        self.crashes: Counter[str] = Counter()
        self.config: Any = None

    def pytest_configure(self, config: Any) -> None:
        """Pytest's settings and plugins."""
        self.config = config

    def pytest_collectreport(self, report: Any) -> None:
        """Bad input as its line; anything else whole."""
        if report.failed:
            lines = re.findall(rf"^E .*?({PREFIX}.*)$", report.longreprtext, re.MULTILINE)
            if lines:
                self.texts[lines[-1]] = None
                self._silence()
            else:
                self.broken[report.longreprtext] = None

    def _silence(self) -> None:
        """Bad input is told in its one line, and an earlier run's JUnit file stays as it is."""
        from _pytest.junitxml import xml_key

        plugins, stash = self.config.pluginmanager, self.config.stash
        for plugin in (plugins.get_plugin("terminalreporter"), stash.get(xml_key, None)):
            if plugin is not None:
                plugins.unregister(plugin)
        if xml_key in stash:
            del stash[xml_key]

    def pytest_internalerror(self, excrepr: Any) -> None:
        """Of pytest, or of what it calls."""
        self.broken[str(excrepr)] = None

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A session that fails to measure fails in every test's setup, and without tracebacks would show a row of E."""
        if report.failed and report.when == "setup":
            lines = re.findall(r"^E +(.*)$", report.longreprtext, re.MULTILINE)
            self.crashes[lines[-1] if lines else report.longreprtext.strip().rpartition("\n")[2]] += 1


def status_of(code: int, records: Path, refusals: _Refusals) -> tuple[int, str]:
    """The exit status of a session, and what is to be said of it: pytest's and the records' must agree.

    Args:
        code: pytest's. records: that the session should have written.
    """
    from mpcheck.records.outcome import STATUS, WORDS, outcome
    from mpcheck.records.read import read_document

    if refusals.texts:
        return 2, ""
    if not is_file(records):
        return (2, "") if code == 2 and not refusals.broken else (1, f"{WORDS['crashed']}: no records were written; pytest's status is {code}")
    document = read_document(records)
    assert document is not None, "a file of this name holds records"
    came = outcome(document)
    if (code == 0) != (STATUS[came] == 0):
        return 1, f"{WORDS['crashed']}: the tests ended with status {code}, their records say {WORDS[came]}"
    return STATUS[came], ""


def start(spec: SessionSpec, options: Mapping[str, Any], out: Path, workers: int = 0, verbose: bool = False) -> int:
    """Run a session's suite.

    Args:
        out: directory of the records and reports.
        options: values of the plugin's ``--mp-NAME`` options; empty ones are left out, sequences are joined by commas.
        workers: processes; on a CPU forked from this one, see :mod:`mpcheck.pytest_plugin.forks`, beside a GPU those of pytest-xdist.

    Returns:
        0 pass, 1 fail or crashed, 2 bad input or nothing judged.

    Raises:
        InputError: ``out`` cannot be written.
    """
    import pytest
    from pytest_benchmark.logger import PytestBenchmarkWarning

    from mpcheck.sessions.counting import Counting

    named = (options.get(name) for name in ("system", "tolerances"))
    files = [Path(str(text)) for value in named if value for text in ([value] if isinstance(value, (str, Path)) else value)]
    refuse_outputs(spec.outputs(out), model_and_systems(str(options.get("model") or ""), map(str, files)))
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror or error}; give another directory") from error
    arguments = [str(suite_path(spec)), f"--mp-out={out}", "-c", "/dev/null", f"--rootdir={Path.cwd()}"]
    # capturing logs costs a millisecond a cell, and looking for what nobody raised collects garbage five times at the end: 2 s
    for name in ("cacheprovider", "randomly", "logging", "hypothesispytest", "unraisableexception"):
        arguments += ["-p", f"no:{name}"]
    arguments.append(f"--junitxml={out / f'{spec.name}.xml'}")
    arguments += [word.format(out=out.resolve()) for word in spec.pytest_words] or ["-p", "no:benchmark"]
    arguments += ["-v"] if verbose else ["-qq", "--tb=no", "-rN", "--disable-warnings"]
    defaults = {one.name: one.default for one in spec.declared.values()}
    for name, value in options.items():
        text = ",".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value
        if text not in (None, "", 0, False) or (text == 0 and text is not False and defaults.get(name)):  # a zero where one is not usual is meant
            arguments.append(f"--mp-{name}" if text is True else f"--mp-{name}={text}")
    if not workers and str(options.get("device") or CPU).startswith(CPU):
        workers = spec.processes
    if workers:
        arguments += ["-n", str(workers)]
    if "mpcheck" not in {point.name for point in entry_points(group="pytest11")}:
        arguments += ["-p", "mpcheck.pytest_plugin.plugin"]
    refusals, counting = _Refusals(), [] if verbose else [Counting()]
    with warnings.catch_warnings():
        # of a run without rounds, which says so itself
        warnings.filterwarnings("ignore", "Not saving anything", category=PytestBenchmarkWarning)
        try:
            code = int(pytest.main(arguments, plugins=[refusals, *counting]))
        finally:
            PROGRESS.begin(logged=False)
    for text in (*refusals.texts, *refusals.broken):
        say_lines(text, error=True)
    if not verbose:
        for text, tests in refusals.crashes.most_common(3):
            say(f"{tests} tests could not begin: {text} (--verbose shows where)", error=True)
    status, said = status_of(code, out / f"{spec.name}.json", refusals)  # xdist takes a failed collection for a failed test
    if said:
        say(f"mpcheck: {said}", error=True)
    return status
