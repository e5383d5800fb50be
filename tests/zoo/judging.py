"""One model through the sessions, each by the command that a user types, and what came of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mpcheck.records.accounts import disorder
from mpcheck.records.document import read_records
from mpcheck.records.outcome import WORDS, outcome
from mpcheck.sessions.registry import get
from tests.zoo import structures
from tests.zoo.entries import Entry
from tests.zoo.records import Row, State

FORMATS = ("float64", "float32", "bfloat16")
SESSIONS = ("precision", "symmetry", "audit")
LIMIT = 1800.0  # seconds that one session of one model may take before it counts as hanging
REFUSED = 2  # exit status of bad input


def judged(entry: Entry, sessions: Sequence[str], formats: Sequence[str], out: Path) -> list[Row]:
    """A row for each session; everything that they write is kept below ``OUT/ID``, the model and its references are not."""
    home = out / entry.id
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    if entry.lacking:
        return [Row(id=entry.id, session=s, structures=[], state="not built", verdicts={f"{entry.lacking} is not installed": 1}) for s in sessions]
    try:
        model = entry.model(home)
        systems = [structures.save(name, home) for name in entry.structures]
    except Exception as error:
        return [broken(entry, s, f"could not be made: {type(error).__name__}: {error}") for s in sessions]
    try:
        return [run(entry, session, formats, model, systems, home) for session in sessions]
    finally:
        for leftover in (home / "cache", home / "train"):
            shutil.rmtree(leftover, ignore_errors=True)


def broken(entry: Entry, session: str, why: str) -> Row:
    """The row of what could not be judged."""
    return Row(id=entry.id, session=session, structures=list(entry.structures), state="red", red=[why])


def run(entry: Entry, session: str, formats: Sequence[str], model: Path, systems: Sequence[Path], home: Path) -> Row:
    """One session."""
    words = [sys.executable, "-m", "mpcheck", get(session).command, str(model)]
    for option, values in {"system": systems, "format": formats, "backend": entry.backends}.items():
        words += [word for value in values for word in (f"--{option}", str(value))]
    words += ["--out", str(home)]
    began = time.perf_counter()
    status, said = _ended(words, home)
    (home / f"{session}.log").write_text(said)
    row = Row(
        id=entry.id, session=session, structures=list(entry.structures), state="green", seconds=round(time.perf_counter() - began, 1),
        command=" ".join(["mpcheck", *words[3:]]),
    )  # fmt: skip
    if entry.refused:
        as_said = status == REFUSED and not (home / f"{session}.json").exists()
        why = [] if as_said else [f"status {status}, though models like this are refused: {entry.refused}"]
        return row.model_copy(update={"state": "red" if why else "refused", "red": why})
    return concluded(row, status, home / f"{session}.json", said)


def _ended(words: Sequence[str], home: Path) -> tuple[int | None, str]:
    """Exit status, None of what had to be ended, and everything that was printed."""
    own = {**os.environ, "MPCHECK_CACHE_DIR": str(home / "cache"), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), "COLUMNS": "200"}
    process = subprocess.Popen(words, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        said, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # what it started, too
        return None, process.communicate()[0]
    return process.returncode, said


def concluded(row: Row, status: int | None, records: Path, said: str) -> Row:
    """The row with what the records say, which must agree with the exit status."""
    if status is None:
        return row.model_copy(update={"state": "red", "red": [f"did not end within {LIMIT:.0f} s"]})
    if not records.is_file():
        last = [text for text in said.splitlines() if text.strip()][-3:]
        return row.model_copy(update={"state": "red", "red": [f"no records, status {status}: {' / '.join(last)}"]})
    document = read_records(records)
    red = [f"{record.id}: {record.verdict}: {record.reason}" for record in document.records if record.red] + disorder(document)
    came = outcome(document)
    if not red and (status != 0 or came != "pass"):
        red = [f"status {status}, {WORDS[came]}"]
    known = [_entry(record.reason) for record in document.records if record.verdict == "known-fault"]
    state: State = "red" if red else "green"
    return row.model_copy(
        update={
            "state": state, "red": red, "known": known, "cells": len(document.records),
            "verdicts": dict(Counter(str(record.verdict) for record in document.records)),
        }
    )  # fmt: skip


def _entry(reason: str) -> str:
    """The entry of the file of known faults that a reason names, for people."""
    found = re.search(r"\[known fault (\S+)", reason)
    return found.group(1) if found else "unnamed"
