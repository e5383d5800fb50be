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
    instead: list[str] = []
    if reason := backend.substitute(block):
        instead.append(reason)
    if instead or not backend.packages:
        yield instead
        if not instead and (reason := backend.substitute(block)):  # what compiles when it is called knows afterwards
            instead.append(reason)
        return
    module = backend.module(block)
    with counted_calls(module, backend.packages) as calls:
        yield instead
    if missed := never_called(module, calls, backend.packages):
        instead.append(missed)
