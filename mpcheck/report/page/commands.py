"""The command that repeats a conclusion, for many conclusions of large records."""

from __future__ import annotations

from mpcheck.report.page.text import shell
from mpcheck.results.items import Item
from mpcheck.results.read import Results
from mpcheck.results.reproduce import blocks_of, reproduce


class Commands:
    """Commands of one set of results. What is a block is looked up once, not for every command: that would take minutes for a large model."""

    def __init__(self, results: Results) -> None:
        self._documents = results.documents
        self._blocks = {session: blocks_of(document) for session, document in results.documents.items()}

    def of(self, item: Item) -> str:
        """A command for bash, on one line."""
        return shell(reproduce(self._documents[item.session], item, self._blocks[item.session]))
