"""Runs sent to a cluster by submitit: a job each, which writes its trajectory where the session looks for it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._raised import Raised, attempt
from mpcheck._text import shortened
from mpcheck.sessions.md import MdOptions
from mpcheck.sessions.md.runs import RunKey, Runs
from mpcheck.sessions.options import plain
from mpcheck.sessions.run import Session

MINUTES = 24 * 60
"""That a job may take, where nothing else is said: ``--cluster-option timeout_min=…``."""


class JobError(Exception):
    """A job that did not do its work; says where its log lies."""


def send(options: MdOptions, keys: Sequence[tuple[str, RunKey]], folders: Mapping[str, Path], mark: str) -> dict[tuple[str, RunKey], Any]:
    """Send runs; the jobs by system and run.

    Args:
        folders: by system; mark: see :class:`Runs`.

    Raises:
        InputError: submitit is not there, an option that it does not know, or no SLURM.
    """
    try:
        submitit = importlib.import_module("submitit")
    except ImportError as error:
        raise InputError("--cluster needs submitit: pip install 'mpcheck[cluster]'") from error
    place = next(iter(folders.values())).resolve() / "jobs"
    parameters = {"timeout_min": MINUTES, **_parameters(options.cluster_options)}
    made = attempt(lambda: submitit.AutoExecutor(folder=str(place / "%j"), cluster=options.cluster))
    if isinstance(made, Raised):
        raise InputError(f"--cluster {options.cluster} cannot be used: {made.line}; submitit finds no such scheduler here") from made.error
    updated = attempt(lambda: made.update_parameters(**parameters))
    if isinstance(updated, Raised):
        given = ", ".join(options.cluster_options)
        told = f"--cluster-option {given}: {shortened(updated.line, 300)}; give what submitit knows, such as slurm_partition=gpu"
        raise InputError(told) from updated.error
    asked = {**plain(options), "length": options.length, "long": options.long}
    return {key: made.submit(job, asked, str(folders[key[0]].resolve()), mark, key[0], asdict(key[1])) for key in keys}


def _parameters(texts: Sequence[str]) -> dict[str, Any]:
    """Values that are whole numbers as such.

    Raises:
        InputError: no NAME=VALUE.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--cluster-option is {text!r}; give NAME=VALUE, such as slurm_partition=gpu")
        found[name.strip()] = int(value) if value.strip().isdigit() else value.strip()
    return found


def job(asked: Mapping[str, Any], folder: str, mark: str, system: str, key: Mapping[str, Any]) -> str:
    """What a job does: one run, from its directory or made now. How it ended."""
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in asked.items() if k not in ("length", "long")}
    fields |= {name: Path(str(fields[name])) for name in ("cache", "tolerances") if fields.get(name)}
    options = replace(MdOptions(**fields), systems=(system,))
    runs = Runs(Session(options), system, Path(folder), mark, asked["length"], asked["long"])
    return runs.run(RunKey(**key)).ended


def wait(found: Any) -> None:
    """Until a job has ended.

    Raises:
        JobError: it did not do its work.
    """
    result = attempt(found.result)
    if isinstance(result, Raised):
        raise JobError(f"job {found.job_id} did not end well: {result.line[:300]} (log: {found.paths.stderr})") from result.error
