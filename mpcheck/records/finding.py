"""Findings: what the symmetry and audit sessions write. Schema-versioned and strict, like the precision session's records."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mpcheck._files.documents import load_document, write_document
from mpcheck._files.yaml import Strict
from mpcheck.records.record import Accounted, Number, Part, check_head

SCHEMA = 2
Outcome = Literal["pass", "fail", "unsupported", "degraded", "indistinguishable", "inconclusive", "known-fault", "no-baseline", "removed"]
"""pass and fail are verdicts; unsupported: cannot run here; degraded: the asked-for kernel did not run; indistinguishable: a
positive control in which right and wrong coincide; inconclusive: the reference is degenerate, so that the check refuses to
conclude; known-fault: upstream's fault, recorded in the data file of known faults; no-baseline: nothing stored to compare with; removed:
stored, but no longer there."""


class Finding(Strict):
    """One conclusion of one check.

    Attributes:
        check: its name: ``equivariance``, ``layout``, ``mix``, ``conversion``, ``engagement``, ``dtypes`` …
        subject: the block, or ``model``, or the configuration that it is about.
        variant: what was done to it: ``rotation``, ``inversion``, ``swapped`` …; may be empty.
        ratio: the measured figure in units of what sets its scale (noise scale, mostly); limit: what is allowed.
        metrics: further figures by name, each with its unit in the name or in ``units``.
        lacking, tolerated: see :class:`mpcheck.records.record.Cell`.
        worst: where the largest deviation is, in words.
        key: of the planned work that it is a record of; part: which of that work's records.
    """

    check: str
    subject: str
    backend: str = ""
    format: str = ""
    system: str = ""
    variant: str = ""
    verdict: Outcome
    reason: str = ""
    lacking: str = ""
    tolerated: str = ""
    ratio: Number = None
    limit: Number = None
    metrics: dict[str, Number | str | bool | list[str]] = {}
    worst: str = ""
    seconds: float = 0.0
    key: str = ""
    part: Part = Part(number=1, of=1)

    @property
    def id(self) -> str:
        """``CHECK:SYSTEM/SUBJECT-BACKEND-FORMAT-VARIANT``, empty parts left out."""
        where = "/".join(filter(None, (self.system, self.subject)))
        return f"{self.check}:" + "-".join(filter(None, (where, self.backend, self.format, self.variant)))


class Findings(Accounted):
    """Everything one session found."""

    schema_version: Literal[2]
    suite: Literal["symmetry", "audit", "bench", "profile"]
    mpcheck: str
    environment: dict[str, Any]
    model: dict[str, Any]
    systems: list[dict[str, Any]]
    options: dict[str, Any]
    findings: list[Finding]
    seconds: float = Field(default=0.0, ge=0.0)


def read_findings(path: Path) -> Findings:
    """Read a session's findings.

    Raises:
        InputError: missing, truncated, not JSON, of another schema version, or with wrong fields.
    """
    run = load_document(Findings, path, "findings", SCHEMA, "make them anew with this version of mpcheck")
    check_head(run, path)
    return run


def write_findings(path: Path, run: Findings) -> None:
    """Write findings atomically, one a line."""
    write_document(path, run, "findings")
