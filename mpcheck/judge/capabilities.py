"""What the user requires, and which substitutes he allows, said of cells and findings: by their fields, in one place for all sessions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from mpcheck._unsupported import tolerated
from mpcheck.adapters.backends.capabilities import capabilities, lacks
from mpcheck.records.record import Record
from mpcheck.records.verdicts import NOT_RUN


class Asking(Protocol):
    """What a run was asked for."""

    @property
    def required(self) -> Collection[str]:
        """Capabilities whose absence is a failure."""

    @property
    def allow_degraded(self) -> Collection[str]:
        """What may be degraded."""


def asked(run: Asking, item: Record, block: str) -> Record:
    """A failure where a required capability is missing; a degraded one with the setting that allows it, where one does."""
    without = capabilities().get(item.lacking) if item.lacking else None
    if (item.verdict in NOT_RUN or without) and item.verdict != "fail" and lacks(run.required, item.backend, item.lacking):
        reason = item.reason if item.verdict in NOT_RUN else without
        return item.model_copy(update={"verdict": "fail", "reason": f"required: {reason}"})
    if item.verdict == "degraded":
        return item.model_copy(update={"tolerated": tolerated(run.allow_degraded, item.backend, block)})
    return item
