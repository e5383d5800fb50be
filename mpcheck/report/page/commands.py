"""The command that repeats a conclusion, for many conclusions of large records."""

from __future__ import annotations

from mpcheck._text import shell
from mpcheck.records.items import Item
from mpcheck.records.read import Results
from mpcheck.records.reproduce import blocks_of, words
from mpcheck.report.page.pinned import Pinned


class Commands:
    """Commands of one set of results. What is a block is looked up once, not for every command: that would take minutes for a large model.

    Args:
        pinned: names that a command may hold; None for any, where the records are the reader's own.
    """

    def __init__(self, results: Results, pinned: Pinned | None = None) -> None:
        self._documents, self._pinned = results.documents, pinned
        self._blocks = {session: blocks_of(document) for session, document in results.documents.items()}

    def of(self, item: Item) -> str:
        """A command for bash, on one line; empty where it would hold a name that nobody vouches for."""
        command = words(self._documents[item.session], item, self._blocks[item.session])
        return shell(command) if self._pinned is None or self._pinned.vouches(command) else ""
