"""What two runs are, and how they differ themselves: said at the head of a comparison, because it explains what moved."""

from __future__ import annotations

from mpcheck._text import listed
from mpcheck.records.document import Records
from mpcheck.records.read import Results
from mpcheck.records.versions import changed_versions
from mpcheck.sessions.registry import sessions

UNKNOWN = "unknown"
APART = ("cache", "shard", "shard_rows", "device")  # options that differ without changing what is judged, or are said otherwise


def commit_of(document: Records) -> str:
    """The commit that was judged; ``unknown`` in records that do not say it."""
    return document.environment.commit or UNKNOWN


def label(results: Results) -> str:
    """A run in a few words: where its records are, and the commit."""
    places = list(dict.fromkeys(str(path.parent) for path in results.files))
    where = str(results.files[0]) if len(results.files) == 1 else listed(places, 2)
    commit = commit_of(results.first)
    return where if commit == UNKNOWN else f"{where} (commit {commit})"


def heads_differ(base: Results, head: Results) -> list[str]:
    """Differences of device, versions, options and sessions, a line each."""
    ours, theirs = base.first.environment, head.first.environment
    lines = []
    if ours.device_slug != theirs.device_slug:
        lines.append(f"different devices: {ours.device_name} and {theirs.device_name}")
    packages = {"mpcheck": base.first.mpcheck, **ours.packages}, {"mpcheck": head.first.mpcheck, **theirs.packages}
    if versions := changed_versions(*packages):
        lines.append("versions: " + ", ".join(versions))
    if ours.threads != theirs.threads:
        lines.append(f"threads: {ours.threads} -> {theirs.threads}")
    for session in sessions():
        a, b = base.documents.get(session), head.documents.get(session)
        if a is not None and b is not None:
            lines += [f"{session}: {line}" for line in documents_differ(a, b)]
        elif sessions()[session].against and a is None and b is not None:
            lines.append(f"{session}: base and head as the head's records tell of both")
        elif a is not None or b is not None:
            lines.append(f"{session}: only the {'base' if b is None else 'head'} has it")
    return list(dict.fromkeys(lines))


def documents_differ(ours: Records, theirs: Records) -> list[str]:
    """Differences of two documents of one session in what they were asked for, a line each."""
    names = sorted({*ours.options, *theirs.options} - set(APART))
    lines = [
        f"option {n}: {_said(ours.options.get(n))} -> {_said(theirs.options.get(n))}" for n in names if ours.options.get(n) != theirs.options.get(n)
    ]
    old = {s.name: s.digest for s in ours.systems}
    other = [s.name for s in theirs.systems if old.get(s.name, s.digest) != s.digest]
    return lines + [f"{name} is another structure in the head" for name in other]


def _said(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return text or "default"
