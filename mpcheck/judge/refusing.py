"""Whether a block can be run and judged, and the finding of one that cannot."""

from __future__ import annotations

from typing import Any

from mpcheck._errors import error_line, unimplemented
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


def no_operation(error: Exception) -> Unsupported | None:
    """What upstream raised where an operation does not exist in a type; None where something else went wrong."""
    return Unsupported("no-operation", error_line(error)) if unimplemented(error) else None
