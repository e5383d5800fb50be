"""The survey session from a command."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpcheck._cores import cores
from mpcheck._errors import InputError
from mpcheck._text import say, say_lines
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import values_of
from mpcheck.sessions.survey import ARCHIVE_NAME

if TYPE_CHECKING:
    from mpcheck.survey.part import Part, Scale

SIZES = ("toy", "full")
FULL_MINUTES = 30.0
"""What a survey of a CPU takes at full size: with less it is made at toy size."""


def start(spec: SessionSpec, options: Mapping[str, Any], out: Path, workers: int = 0, verbose: bool = False) -> int:
    """Survey a device; see :class:`mpcheck.survey.run.Survey`.

    Returns:
        0 where nothing is red and every part ran, 1 where something is red, 2 where there was no time for a part.

    Raises:
        InputError: bad input, no such device, or a directory with another survey.
    """
    asked = spec.options(**values_of(spec.options, options))
    # torch takes seconds to import; a wrong option must not
    from mpcheck._files.outputs import refuse_directory, refuse_outputs
    from mpcheck.bench.work.workload import UnsupportedError
    from mpcheck.records.environment import device_slug
    from mpcheck.sessions.run import parse_device
    from mpcheck.sessions.survey.registry import chosen, parts
    from mpcheck.survey.part import Scale

    if asked.size not in ("", *SIZES):
        raise InputError(f"--size {asked.size}: choose {' or '.join(SIZES)}")
    device = parse_device(asked.device)
    scale = Scale(asked.device, asked.size == "toy" or (not asked.size and device.type == "cpu" and asked.minutes < FULL_MINUTES))
    every = parts(scale)
    some = chosen(every, asked.parts)
    if asked.listed:
        _list(some, scale)
        return 0
    if asked.dry_run:
        _plan(some, scale, asked.minutes * 60.0)
        return 0
    refuse_directory(out, "--out")
    refuse_outputs(spec.outputs(out), [])
    if device.type != "cpu":
        from mpcheck.bench.gpu.api import checked

        try:
            checked(device)
        except UnsupportedError as error:
            raise InputError(f"--device {asked.device}: {error}; survey a device that this machine has") from error
    return _survey(spec, asked, scale, every, some, out, device_slug(asked.device))


def _list(some: list[Part], scale: Scale) -> None:
    from mpcheck._console import Grid

    grid = Grid(f"parts of a survey of {scale.device} at {scale.size} size, most valuable first", pad_edge=True)
    for name in ("part", "subject", "seconds", "at most", "alone", "what it finds out"):
        grid.column(name, right=name in ("seconds", "at most"), overflow="fold")
    for part in some:
        cost = part.cost_at(scale)
        grid.row([part.name, part.subject, f"{cost.estimate:.0f}", f"{cost.most:.0f}", "yes" if part.timed else "", part.title])
    grid.show(140)


def _plan(some: list[Part], scale: Scale, seconds: float) -> None:
    from mpcheck._console import Grid
    from mpcheck.survey.plan import simulated
    from mpcheck.survey.run import reserve

    grid = Grid(f"plan of a survey of {scale.device} at {scale.size} size within {seconds:.0f} s on {cores()} cores", pad_edge=True)
    for name in ("part", "from", "to", "what it finds out"):
        grid.column(name, right=name in ("from", "to"), overflow="fold")
    for slot in simulated(some, seconds - reserve(seconds), cores(), scale):
        begin, end = ("–", "no time") if slot.begin is None or slot.end is None else (f"{slot.begin:.0f} s", f"{slot.end:.0f} s")
        grid.row([slot.part.name, begin, end, slot.part.title])
    grid.show(140)


def _survey(spec: SessionSpec, asked: Any, scale: Scale, every: list[Part], some: list[Part], out: Path, slug: str) -> int:
    from mpcheck._own import own_digest
    from mpcheck.records.environment import commit, describe
    from mpcheck.records.outcome import outcome
    from mpcheck.report.showing import showing
    from mpcheck.report.write import write_records, write_state
    from mpcheck.survey.document import document, not_started, notes
    from mpcheck.survey.run import Survey, resumed

    seconds, began = asked.minutes * 60.0, time.monotonic()
    variables = {"MPCHECK_COMMIT": commit(), **({"MPCHECK_CACHE_DIR": str(asked.cache.absolute())} if asked.cache else {})}
    shown = {"device": asked.device, "minutes": asked.minutes, "parts": list(asked.parts), "size": scale.size}
    with tempfile.TemporaryDirectory(prefix="mpcheck-survey-") as held, ended_by_terms():
        out.mkdir(parents=True, exist_ok=True)
        work = Path(held)
        archive = out / ARCHIVE_NAME
        state = resumed(archive, work, scale, slug)
        survey = Survey(scale, archive, work, seconds, cores(), own_digest(), state, variables, say, began=began)
        environment = describe(asked.device)

        def facts() -> dict[str, Any]:
            return {"environment": environment, "options": shown, "seconds": time.monotonic() - began}

        waiting = survey.waiting(some, asked.again)
        if settled := [part.name for part in some if part not in waiting]:
            say(f"kept from before: {', '.join(settled)}")
        survey.kept = lambda: write_state(out, document(spec.name, state, every, {}, facts(), "running"))
        survey.kept()
        try:
            late = survey.run(waiting)
        except KeyboardInterrupt:
            write_records(out, document(spec.name, state, every, {}, facts(), "interrupted", "it was ended from outside"))
            say("interrupted; the same command goes on from here", error=True)
            return 1
        missing = {part.name: not_started(part, scale, survey.left, seconds) for part in late}
        for name in missing:  # what an earlier run began and did not end has no records of its own
            if name in state.parts and state.parts[name].status == "running":
                del state.parts[name]
        run = document(spec.name, state, every, missing, facts(), "complete")
        told = notes(state, own_digest(), state.left_out)
        files = write_records(out, run, told)
    say_lines(showing(run).terminal(run, told, False))
    say(f"written to {out}: {', '.join(path.name for path in files)}, {ARCHIVE_NAME} (logs, records, baselines)")
    if late:
        say(f"no time for {', '.join(part.name for part in late)}; the same command goes on with them")
    return 1 if outcome(run) in ("fail", "crashed") else 2 if late else 0


@contextlib.contextmanager
def ended_by_terms() -> Iterator[None]:
    """SIGTERM ends a survey as Ctrl-C does: with its parts ended and its records written."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
