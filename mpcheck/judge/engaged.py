"""Whether it is the backend that was asked for that computes: where another implementation does, nothing is shown of that backend."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mpcheck.adapters.backends.engagement import counted_calls, never_called
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import Block


@contextlib.contextmanager
def engaged(backend: BackendModel, block: Block) -> Iterator[list[str]]:
    """Around a run of a block: afterwards the list says what computed it instead, in one line; it stays empty where the backend did."""
    found: list[str] = []
    if reason := backend.substitute(block):
        found.append(reason)
    if found or not backend.packages:
        yield found
        return
    module = backend.module(block)
    with counted_calls(module, backend.packages) as calls:
        yield found
    if missed := never_called(module, calls, backend.packages):
        found.append(missed)
