"""The sessions of a gate, each a process of its side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck.gate.environments import Side
from mpcheck.gate.processes import Ended, relayed, run
from mpcheck.gate.settings import GateSettings
from mpcheck.gate.sides import Sides, reference_of
from mpcheck.records.accounts import disorder
from mpcheck.records.environment import GATED
from mpcheck.records.outcome import STATUS, WORDS, outcome
from mpcheck.records.read import read_document
from mpcheck.reference.spec import PINNED
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.registry import get, sessions

JUDGED = (0, 1)  # exit statuses of a session that came to a verdict


@dataclass(frozen=True)
class Crash:
    """A session that came to no verdict.

    Attributes:
        side: ``base`` or ``head``; session: empty where the side cannot even be imported.
        why: how it ended, and its last words.
    """

    side: str
    session: str
    why: str

    @property
    def text(self) -> str:
        """In a line."""
        return f"{self.session or 'import'} of {self.side}: {self.why}"


def arguments(settings: GateSettings, spec: SessionSpec, out: Path, against: str) -> list[str]:
    """Words of a session's command line: the model, and every setting that is not the default.

    Args:
        against: base's environment, for a session that measures it beside head; may be empty.
    """
    words = [spec.command, "--out", str(out)]
    for field, one in spec.declared.items():
        value = settings.of(spec, field) if one.option.gate else None
        if not value or (value == one.default and not one.option.argument):
            continue
        texts = [str(v) for v in (value[:1] if one.option.single else value)] if one.several else [str(value)]
        words[1:1] = texts if one.option.argument else []
        words += [] if one.option.argument else [word for text in texts for word in (f"--{one.name}", text)]
    if settings.workers and spec.parallel:
        words += ["--workers", str(settings.workers)]
    return words + ([f"--{spec.against}", against] if spec.against and against else [])


def written(directory: Path) -> list[Path]:
    """Records of sessions in a directory; other JSON lies beside them."""
    return [path for session in sessions() if (path := directory / f"{session}.json").is_file()]


def run_sessions(sides: Sides, side: Side, settings: GateSettings, out: Path, cache: Path, say: Callable[[str], None]) -> list[Crash]:
    """Run every session of a side. Base comes first, whose references head is judged against. Records go to ``out/base`` and ``out/head``.

    Args:
        cache: of references; each code has its own in it.

    Raises:
        InputError: what is asked for does not fit head: an unknown block, a model that is not there.
    """
    name = side.tree.name
    if not sides.usable(name):
        return [Crash(name, "", sides.broken[name])]
    crashes = []
    for session in settings.sessions:
        spec = get(session)
        if name == "base" and spec.sides == "head":
            continue
        record = out / name / f"{session}.json"
        pinned = sides.pins.get(session, "") if name == "head" else ""
        facts = {"MPCHECK_CACHE_DIR": str(cache), PINNED: pinned, GATED: gated(sides) if name == "head" else ""}
        ended = _run(side, spec, sides, settings, out / name, facts, say)
        if name == "base" and settings.reference == "base":
            sides.pins[session] = reference_of(record if ended.code in JUDGED else out / "none")  # before any code of head runs
        why = no_verdict(session, ended, record)
        if not why:
            continue
        if name == "head" and ended.code == 2 and ended.refusal and not written(out / name):
            raise InputError(f"{session} of head: {ended.refusal}")  # else the other sessions' verdicts are told, too
        crashes.append(Crash(name, session, why))
    return crashes


def gated(sides: Sides) -> str:
    """What the records of head tell of their gate, for :data:`mpcheck.records.environment.GATED`."""
    return json.dumps({"base": sides.base.tree.commit if sides.base is not None else "", "head": sides.head.tree.commit})


def no_verdict(session: str, ended: Ended, record: Path) -> str:
    """Why a session came to no verdict; empty where it did: it ended by itself, its records are whole, and its exit status is theirs.

    Records that cannot be read, or say no more than that a run has begun, are removed. Others stay: what is missing in them is told.
    """
    if not record.is_file():
        return ended.refusal or f"{ended.how}: {ended.last_words}"
    try:
        document = read_document(record)
        assert document is not None, "a file of this name holds records"
    except InputError as error:
        record.unlink(missing_ok=True)
        return str(error)
    came = outcome(document)
    if document.state == "running":
        record.unlink(missing_ok=True)
        return ended.refusal or f"{ended.how}: {ended.last_words}"
    status = 0 if not get(session).judges and came == "nothing judged" else STATUS[came]
    if came == "crashed":
        return f"{ended.how}; {'; '.join(disorder(document)[:2])}"
    return "" if ended.code == status else f"{ended.how}, but its records say {WORDS[came]}"


def _run(
    side: Side, spec: SessionSpec, sides: Sides, settings: GateSettings, out: Path, facts: Mapping[str, str], say: Callable[[str], None]
) -> Ended:
    against = str(sides.base.home) if spec.against and sides.base is not None and sides.usable("base") else ""
    say(f"{spec.name} of {side.tree.name}" + (" against base" if against else "") + " …")
    began = time.perf_counter()
    words = arguments(settings, spec, out, against)
    log = out / f"{spec.name}.log"
    with relayed(log, lambda text: say(f"{spec.name} of {side.tree.name}: {text}")):
        ended = run(side, "cli.main:entry", words, sides.directory, log, settings.timeout, **facts)
    verdict = {0: "green", 1: "red"}.get(-1 if ended.code is None else ended.code, ended.how)
    say(f"{spec.name} of {side.tree.name}: {verdict}, {time.perf_counter() - began:.0f} s")
    return ended
