"""What follows once a piece of work is judged, whichever check did it: substitutes, known faults of upstream, what the user requires."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._unsupported import Unsupported
from mpcheck._variants import PLUS
from mpcheck.adapters.blocks import WHOLE, Block
from mpcheck.judge.capabilities import asked
from mpcheck.judge.context import Context
from mpcheck.judge.known_faults import Traits, apply_known_faults
from mpcheck.records.record import Record


def follow(context: Context, findings: Sequence[Record]) -> list[Record]:
    """Degraded where another backend computed than was asked for; upstream's faults that are on record, as such; failures where a required
    capability is missing.
    """
    told = apply_known_faults([degraded(context, finding) for finding in findings], Traits(context.reference_backend.model))
    return [asked(context, finding, finding.subject) for finding in told]


def follow_cell(context: Context, cell: Record) -> Record:
    """The same of a cell, which tells of a substitute itself; one that raised as a known fault does has judged nothing."""
    if cell.verdict in ("pass", "fail"):
        first, *stale = apply_known_faults([cell], Traits(context.reference_backend.model))
        if first.verdict == "known-fault":
            cell = first if cell.quantities else cell.model_copy(update={"verdict": "unsupported", "reason": first.reason})
        elif stale:
            cell = cell.model_copy(update={"verdict": "fail", "reason": stale[0].reason})
    return asked(context, cell, cell.subject)


def degraded(context: Context, finding: Record) -> Record:
    """A finding that passes on a backend which is none; of a property of the whole model, any of its blocks."""
    if finding.verdict != "pass" or not finding.backend or not (finding.system or finding.subject == WHOLE.role):
        return finding
    for name in names_in(finding.backend, context.backend_names):
        backend = context.backend(name) if name in context.backend_names else None
        if backend is None or isinstance(backend, Unsupported):
            continue
        if reason := backend.substitute(block_of(context, finding)):
            return finding.model_copy(update={"verdict": "degraded", "reason": reason, "lacking": name, "worst": ""})  # what passed is nobody's fault
    return finding


def names_in(backend: str, known: Sequence[str]) -> list[str]:
    """Backends that a finding's name of one speaks of: itself, with its variant, or both of a mixed model (``e3nn+cueq``)."""
    if backend in known:
        return [backend]
    places = [at for at, letter in enumerate(backend) if letter == PLUS]
    pairs = ([backend[:at], backend[at + 1 :]] for at in places)
    return next((pair for pair in pairs if all(name in known for name in pair)), backend.split(PLUS))


def block_of(context: Context, finding: Record) -> Block:
    """The block that a finding is about; the whole model where its subject is a property."""
    own = context.library(finding.system).blocks() if finding.system else []
    return next((block for block in own if block.name == finding.subject), WHOLE)
