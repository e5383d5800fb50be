"""What a survey left to gate by: read from its archive, compared with what is stored, put in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._files.documents import BrokenError, DocumentKind, parse
from mpcheck._names import SURVEY_PART
from mpcheck.history import ratios
from mpcheck.history.latency import aa_rate, baseline
from mpcheck.history.latency.aa_rate import AARates, aa_path, store_aa
from mpcheck.history.latency.baseline import BenchBaseline
from mpcheck.history.ratios import Baseline, baseline_path, changes, read_baseline, write_baseline
from mpcheck.judge.tolerances import DriftLimits
from mpcheck.records.document import Records, write_records
from mpcheck.records.read import read_document
from mpcheck.sessions.survey import ARCHIVE_NAME, SESSION
from mpcheck.sessions.survey.registry import parts
from mpcheck.survey.archive import members

REMEDY = "give the directory that `mpcheck survey --out` wrote"
KINDS: tuple[tuple[str, DocumentKind[Any]], ...] = (
    (ratios.FILE, ratios.KIND), ("bench-figures.json", baseline.KIND), ("aa.json", aa_rate.KIND),
)  # fmt: skip
MOST_RECORDS = 2 << 20
"""Bytes of a survey's own records that are kept beside the baselines."""


@dataclass(frozen=True)
class Left:
    """What a survey left; None where the part that makes it did not end green.

    Attributes:
        slug: of the device. passed_over: parts that left a baseline nobody may take, and why.
    """

    slug: str
    records: Records
    found: Mapping[str, Any]
    passed_over: Mapping[str, str]

    @property
    def ratios(self) -> Baseline | None:
        """Of the rounding of every block."""
        return self.found.get(ratios.FILE)

    @property
    def figures(self) -> BenchBaseline | None:
        """Latencies."""
        return self.found.get("bench-figures.json")

    @property
    def rates(self) -> AARates | None:
        """Of false alarms."""
        return self.found.get("aa.json")


def left(home: Path) -> Left:
    """Read what a survey left in a directory.

    Raises:
        InputError: no survey, one at toy size, damaged, of several devices, or one that left no baseline.
    """
    path = home / f"{SESSION.name}.json"
    document = read_document(path)
    if document is None or document.suite != SESSION.name:
        raise InputError(f"records {path}: they are no survey's; {REMEDY}")
    if document.options.get("size") != "full":
        raise InputError(f"records {path}: a survey at toy size shows that it works, and is no baseline; survey with --size full")
    makers = {part.name: part for part in parts() if part.adopted}
    judged = {record.subject: record for record in document.records if record.check == SURVEY_PART and record.subject in makers}
    green = {name for name, record in judged.items() if record.verdict == "pass"}
    slug, found = document.environment.device_slug, dict[str, Any]()
    for name, data in members(home / ARCHIVE_NAME):
        _, _, rest = name.partition("parts/")
        part, _, file = rest.partition("/out/")
        if part in green and any(fnmatchcase(file, pattern) for pattern in makers[part].adopted):
            kind = next((kind for end, kind in KINDS if file.endswith(end)), None)
            if kind is not None:
                found[next(end for end, _ in KINDS if file.endswith(end))] = _read(data, kind, f"archive {home / ARCHIVE_NAME}: {name}", slug)
    passed_over = {name: f"{record.verdict}: {record.reason}" for name, record in judged.items() if name not in green}
    if not found:
        why = "; ".join(f"{name} {text}" for name, text in passed_over.items()) or "none of the parts that make one has run"
        raise InputError(f"survey {home} left no baseline: {why}")
    return Left(slug, document, found, passed_over)


def _read(data: bytes, kind: DocumentKind[Any], where: str, slug: str) -> Any:
    try:
        document = kind.check(parse(data.decode("utf-8")), where)
    except (BrokenError, UnicodeDecodeError) as error:
        raise InputError(f"{where}: {error}; {REMEDY}") from error
    of = getattr(document.device, "slug", document.device)
    if of != slug:
        raise InputError(f"{where}: it is of {of}, the survey of {slug}; {REMEDY}")
    return document


def ratio_changes(one: Left, directory: Path, limits: DriftLimits) -> tuple[list[str], list[str]]:
    """What would change of the stored ratios: (all lines, those that loosen the gate). Raises as :func:`~mpcheck.history.ratios.read_baseline`."""
    return changes(read_baseline(baseline_path(directory, one.slug)), one.ratios, limits) if one.ratios is not None else ([], [])


def put(one: Left, directory: Path, reason: str) -> list[Path]:
    """Write ratios, rates and the survey's records; latencies are the update's own matter.

    Raises:
        InputError: a file that is there is damaged, or the place cannot be written.
    """
    written = []
    if one.ratios is not None:
        path = baseline_path(directory, one.slug)
        write_baseline(path, one.ratios.model_copy(update={"provenance": {**one.ratios.provenance, "reason": reason}}))
        written.append(path)
    if one.rates is not None:
        path = aa_path(directory, one.slug)
        for rate in one.rates.rates:
            store_aa(path, one.rates.device, rate)
        written.append(path)
    path = directory / one.slug / f"{SESSION.name}.json"
    if len(one.records.model_dump_json()) <= MOST_RECORDS:
        write_records(path, one.records)
        written.append(path)
    return written
