"""What is neither red nor green: known faults of upstream, degraded, inconclusive, unsupported; counted by reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpcheck.records.items import Item
from mpcheck.records.verdicts import ON_A_PAGE
from mpcheck.report.page.red import names

REASONS_SHOWN = 12
MEANINGS = {
    "degraded": "what was asked for did not run; something else did",
    "known-fault": "upstream's fault, in the data file of known faults; it stays visible and turns nothing red",
    "inconclusive": "the measurement does not allow a verdict",
    "no-baseline": "nothing stored to compare with",
    "removed": "stored, but no longer there",
    "indistinguishable": "right and wrong coincide here, so that this control cannot tell them apart",
    "unsupported": "cannot run here",
}


@dataclass(frozen=True)
class Reason:
    """How often one reason was given, and for what."""

    text: str
    number: int
    where: str


@dataclass(frozen=True)
class Aside:
    """Conclusions of one verdict; ``left`` reasons are not shown."""

    verdict: str
    meaning: str
    number: int
    reasons: list[Reason]
    left: int


def asides(items: Sequence[Item]) -> list[Aside]:
    """Conclusions that are neither pass nor fail, by verdict and reason, most frequent reason first."""
    by_verdict: dict[str, dict[str, list[Item]]] = {}
    for item in items:
        if item.verdict not in ("pass", "fail"):
            by_verdict.setdefault(item.verdict, {}).setdefault(item.reason, []).append(item)
    result = []
    for verdict in ON_A_PAGE:
        if verdict in by_verdict:
            by_reason = sorted(by_verdict[verdict].items(), key=lambda pair: -len(pair[1]))
            reasons = [Reason(text or "no reason given", len(own), names(i.subject for i in own)) for text, own in by_reason[:REASONS_SHOWN]]
            total = sum(len(own) for _, own in by_reason)
            result.append(Aside(verdict, MEANINGS.get(verdict, ""), total, reasons, len(by_reason) - len(reasons)))
    return result
