"""One cell of an audit: a block that ran, watched, on one backend in one format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.checks.audit.dtypes import declared
from mpcheck.checks.audit.observing import Observation, observe
from mpcheck.formats import Format
from mpcheck.judge.context import Context, Key
from mpcheck.judge.refusing import raised, refused, usable
from mpcheck.records.record import Record
from mpcheck.reference.library import BlockReference


@dataclass(frozen=True)
class ObservedCell:
    """What a cell's audits need; ``base`` names the finding."""

    base: dict[str, Any]
    backend: BackendModel
    reference: BlockReference
    fmt: Format
    seen: Observation


def observed_cell(context: Context, key: Key) -> ObservedCell | Record:
    """The cell of a key, or the finding of one that cannot run, or whose block raised."""
    library = context.library(key.system)
    block, fmt = library.block(key.subject), next(f for f in context.formats if f.name == key.format)
    backend = usable(library, context.backend(key.backend), block, fmt)
    if isinstance(backend, Unsupported):
        return refused(key.about, backend)
    reference = library.get(block.name)
    seen = observe(context, key.system, backend, reference, fmt, declared(backend, block, fmt))
    return ObservedCell(key.about, backend, reference, fmt, seen) if seen.error is None else raised(key.about, seen.error)
