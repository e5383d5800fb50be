"""Whether a block can be run and judged, and the finding of one that cannot, or that raised."""

from __future__ import annotations

from typing import Any

from mpcheck._raised import Raised
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import BackendModel, unsupported
from mpcheck.adapters.blocks import Block
from mpcheck.formats import Format
from mpcheck.records.record import Record
from mpcheck.reference.library import Library


def usable(library: Library, backend: BackendModel | Unsupported, block: Block, fmt: Format) -> BackendModel | Unsupported:
    """The backend, or why a block cannot run in a format on it, or cannot be judged there."""
    if (lost := library.refused(block.name)) is not None:
        return Unsupported("no-reference", lost)
    if isinstance(backend, Unsupported):
        return backend
    return unsupported(backend, block, fmt) or backend


def refused(base: dict[str, Any], why: Unsupported) -> Record:
    """The finding of work that cannot run."""
    return Record(**base, verdict="unsupported", reason=why.text, lacking=why.lacking)


def raised(base: dict[str, Any], error: Raised) -> Record:
    """What a block or model that raised is: unsupported where an operation does not exist in the type, else a failure.

    Args:
        base: names of the finding.
    """
    if error.missing:
        return refused(base, Unsupported("no-operation", error.line))
    return Record(**base, verdict="fail", reason=f"raised {error.text}")
