"""What a part found, as the survey's records: how it ended, what its session came to, its red records, the figures that it was for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mpcheck._errors import PREFIX, InputError
from mpcheck._files.documents import DocumentKind, write_document
from mpcheck._files.yaml import Strict
from mpcheck._names import SURVEY_FOUND, SURVEY_PART
from mpcheck._text import listed, visible
from mpcheck.records.accounts import disorder
from mpcheck.records.detail import ListedFigures, Value, figures
from mpcheck.records.document import Records
from mpcheck.records.outcome import STATUS, outcome
from mpcheck.records.read import read_document
from mpcheck.records.record import Part as Place
from mpcheck.records.record import Record
from mpcheck.records.tensors import Tensors
from mpcheck.records.verdicts import Verdict
from mpcheck.sessions.registry import get
from mpcheck.survey.part import Part

FILE = "found.json"
MOST_RED = 60
MOST_KEPT = 2000


class Finding(Strict):
    """One thing that a part's own module found out."""

    name: str
    verdict: Verdict
    reason: str = ""
    backend: str = ""
    format: str = ""
    lacking: str = ""
    figures: dict[str, Value] = {}


class Found(Strict):
    """All of them."""

    schema_version: Literal[1] = 1
    suite: Literal["survey-found"] = "survey-found"
    found: list[Finding]


KIND = DocumentKind(Found, "findings", 1, "run the part again", "survey-found")


def write_found(out: Path, findings: list[Finding]) -> None:
    """Leave findings where the survey looks for them."""
    write_document(out / FILE, Found(found=findings), "found")


@dataclass(frozen=True)
class Ended:
    """How a part's process ended.

    Attributes:
        code: exit status; None where it was ended. limit: after how many seconds, then.
        frames: where it then was, innermost first. last: the end of what it said.
    """

    code: int | None
    seconds: float
    limit: float = 0.0
    frames: tuple[str, ...] = ()
    last: tuple[str, ...] = ()

    @property
    def trouble(self) -> str:
        """Why it did not end as a process should, in words; empty where it did."""
        if self.code is None:
            return f"did not end within {self.limit:.0f} s and was ended" + (f" in {self.frames[0]}" if self.frames else "")
        if self.code < 0:
            return f"was killed by signal {-self.code}"
        return "" if self.code in STATUS.values() else f"ended with status {self.code}"

    @property
    def refusal(self) -> str:
        """Bad input, as mpcheck says it; empty where it said none."""
        told = [line.partition(PREFIX)[2] for line in self.last if PREFIX in line]
        return told[-1].strip() if told else ""


def records_of_part(part: Part, out: Path, ended: Ended) -> tuple[list[Record], bool]:
    """Its records, the part's own first; and whether it came to an end that says something of the device, not of itself."""
    own, rows, whole = _judged(part, out, ended)
    told: dict[str, Any] = {"seconds": round(ended.seconds, 1), **own.pop("figures", {})}
    if ended.code is not None:
        told["exit status"] = float(ended.code)
    if not whole:
        told |= {"frames": list(ended.frames)} if ended.frames else {}
        told["last lines"] = list(ended.last)[-12:]
    first = Record(check=SURVEY_PART, subject=part.name, seconds=round(ended.seconds, 3), detail=figures(told), **own)
    every = [first, *rows]
    return [r.model_copy(update={"key": part.name, "part": Place(number=i, of=len(every))}) for i, r in enumerate(every, 1)], whole


def _judged(part: Part, out: Path, ended: Ended) -> tuple[dict[str, Any], list[Record], bool]:
    trouble = ended.trouble
    try:
        if trouble:
            raise InputError(trouble)
        own, rows = _of_session(part, out, ended) if part.session else _of_module(part, out, ended)
        lost = [name for name in part.leaves if not any(out.glob(name))]
        if lost:
            raise InputError(f"left no {listed(lost, 3)}")
    except InputError as error:
        return {"verdict": "fail", "reason": visible(error, 400)}, _salvaged(part, out), False
    return own, rows, True


def _salvaged(part: Part, out: Path) -> list[Record]:
    """What a part that did not end well had found before, as far as it can be read."""
    try:
        document = read_document(out / f"{part.session}.json") if part.session else None
    except InputError:
        return []
    return [] if document is None else list(_told(part, document))


def _of_session(part: Part, out: Path, ended: Ended) -> tuple[dict[str, Any], list[Record]]:
    place = out / f"{part.session}.json"
    if ended.refusal and not place.is_file():
        raise InputError(ended.refusal)
    document = read_document(place)
    assert document is not None, "a file of this name holds records"
    came = outcome(document)
    if came == "crashed":
        raise InputError(f"its records are not whole: {'; '.join(disorder(document)[:2])}")
    status = 0 if not get(part.session).judges and came == "nothing judged" else STATUS[came]
    if ended.code != status:
        raise InputError(f"ended with status {ended.code}, its records say {came}" + (f": {ended.refusal}" if ended.refusal else ""))
    counts = Counter(record.verdict for record in document.records)
    red = [record for record in document.records if record.red]
    told = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    verdict: Verdict = "pass"
    reason = told
    if red:
        verdict = "fail" if any(record.verdict == "fail" for record in red) else "degraded"
        reason = f"{told}: {listed([record.id for record in red], 3)}"
    elif not {"pass", "known-fault", "no-baseline"} & set(counts):
        verdict, reason = "unsupported", f"{told}: {next((r.reason for r in document.records if r.reason), 'nothing ran')}"
    return {"verdict": verdict, "reason": reason, "figures": {v: float(n) for v, n in counts.items()}}, list(_told(part, document))


def _told(part: Part, document: Records) -> Iterator[Record]:
    """Red records without their tensors, and the figures that the part was for."""
    red = [record for record in document.records if record.red]
    for record in red[:MOST_RED]:
        detail = None if isinstance(record.detail, Tensors) else record.detail
        yield record.model_copy(update={"check": SURVEY_FOUND, "variant": visible(f"{part.name}/{record.name}", 300), "detail": detail, "block": ""})
    kept = [record for record in document.records if record.check in part.keeps and not record.red and record.detail is not None]
    for record in kept[:MOST_KEPT]:
        yield record.model_copy(update={"check": SURVEY_FOUND, "variant": visible(f"{part.name}/{record.name}", 300), "block": ""})


def _of_module(part: Part, out: Path, ended: Ended) -> tuple[dict[str, Any], list[Record]]:
    if ended.code:
        raise InputError(ended.refusal or f"ended with status {ended.code}: {ended.last[-1] if ended.last else 'it said nothing'}")
    if not (out / FILE).is_file():
        if not part.leaves:
            raise InputError(f"left no {FILE}")
        return {"verdict": "pass", "reason": visible(ended.last[-1] if ended.last else "", 300)}, []
    found = KIND.read(out / FILE).found
    rows = [
        Record(
            check=SURVEY_FOUND, subject=one.name, variant=part.name, verdict=one.verdict, reason=visible(one.reason, 400), backend=one.backend,
            format=one.format, lacking=one.lacking, detail=ListedFigures(listed=d.listed) if (d := figures(one.figures)) is not None else None,
        )
        for one in found
    ]  # fmt: skip
    verdicts = [one.verdict for one in found]
    worst = next((v for v in ("fail", "degraded", "pass", "inconclusive") if v in verdicts), "unsupported")
    reason = next((f"{one.name}: {one.reason}" for one in found if one.verdict == worst and one.reason), "")
    return {"verdict": worst, "reason": visible(reason, 400)}, rows
