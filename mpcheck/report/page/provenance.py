"""Where the figures come from: environment, model, systems, options, files; said once where all sessions agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from mpcheck._text import visible
from mpcheck.records.document import Environment, JudgedSystem
from mpcheck.records.read import Results
from mpcheck.report.references import reference_lines

FIELDS_SHOWN = 80
SYSTEMS_SHOWN = 40
FILES_SHOWN = 40
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Facts:
    """A titled list of names and values; ``left`` of them are not shown."""

    title: str
    rows: list[tuple[str, str]]
    left: int = 0


def moment(environment: Environment) -> str:
    """When the records were made, to the minute; what is no date is shown as it is."""
    text = known(environment.date)
    try:
        return datetime.fromisoformat(text).astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError):
        return text


def known(text: str) -> str:
    """A field of the environment that older records do not have."""
    return visible(text, 80) if text else UNKNOWN


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list):
            if value:
                yield name, ", ".join(map(str, value))
        elif value not in (None, ""):
            yield name, str(value)


def _merged(title: str, by_session: Mapping[str, Mapping[str, Any]]) -> Facts:
    """Values by name; where sessions differ, each value with the sessions that have it."""
    values: dict[str, dict[str, list[str]]] = {}
    for session, data in by_session.items():
        for name, value in _flat(data):
            values.setdefault(name, {}).setdefault(value, []).append(session)
    rows = []
    for name, by_value in list(values.items())[:FIELDS_SHOWN]:
        everywhere = len(by_value) == 1 and len(next(iter(by_value.values()))) == len(by_session)
        told = next(iter(by_value)) if everywhere else "; ".join(f"{visible(v, 200)} ({', '.join(sessions)})" for v, sessions in by_value.items())
        rows.append((visible(name, 80), visible(told, 400)))
    return Facts(title, rows, len(values) - len(rows))


def _systems(results: Results) -> Facts:
    systems: dict[str, JudgedSystem] = {}
    for document in results.documents.values():
        for system in document.systems:
            systems.setdefault(system.name, system)
    rows = []
    for name, system in list(systems.items())[:SYSTEMS_SHOWN]:
        told = [f"{number} {what}" for what in ("atoms", "frames", "edges") if (number := getattr(system, what)) is not None]
        told += [f"digest {visible(system.digest[:16], 40)}"] if system.digest else []
        told += [visible(note, 200) for note in system.notes]
        rows.append((visible(name, 80), ", ".join(told)))
    return Facts("Systems", rows, len(systems) - len(rows))


def provenance(results: Results) -> list[Facts]:
    """Environment, packages, model, systems, options and files of all sessions."""
    documents = results.documents
    environment = {s: {k: v for k, v in d.environment.facts.items() if k not in ("packages", "flags")} for s, d in documents.items()}
    files = [(visible(path.name, 120), visible(path.parent, 200)) for path in results.files]
    passed = [(visible(path.name, 120), "holds no records, passed over") for path in results.passed_over]
    sections = [
        _merged("Machine", environment),
        _merged("Packages", {s: {"mpcheck (records)": d.mpcheck, **d.environment.packages} for s, d in documents.items()}),
        _merged("Flags", {s: d.environment.flags for s, d in documents.items()}),
        _merged("Model", {s: d.model.model_dump(exclude={"source", "code"}) | d.model.source for s, d in documents.items()}),
        _systems(results),
        _merged("References", {s: {str(n): line for n, line in enumerate(reference_lines(d.systems), 1)} for s, d in documents.items()}),
        _merged("Options and seeds", {s: d.options for s, d in documents.items()}),
        Facts("Files read", (files + passed)[:FILES_SHOWN], max(0, len(files + passed) - FILES_SHOWN)),
    ]
    return [facts for facts in sections if facts.rows]
