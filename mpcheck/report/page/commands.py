"""The command that repeats a conclusion, for many conclusions of large records."""

from __future__ import annotations

from collections.abc import Mapping

from mpcheck.findings import Finding
from mpcheck.records import Cell, Run
from mpcheck.report.page.text import shell
from mpcheck.results.items import Item
from mpcheck.results.read import Document, Results
from mpcheck.results.reproduce import reproduce


class Commands:
    """Commands of one set of results.

    Whether a subject is a block is read off the rows about it. Each command is therefore made from records cut down to those: going through
    all cells for every command would take minutes for a large model.
    """

    def __init__(self, results: Results) -> None:
        """Sort the records' rows by what they are about."""
        self._documents = results.documents
        self._rows: dict[str, Mapping[str, Mapping[str, Cell | Finding]]] = {}
        for session, document in results.documents.items():
            found: dict[str, dict[str, Cell | Finding]] = {}
            rows = [(c.block, "", c) for c in document.cells] if isinstance(document, Run) else [(f.subject, f.check, f) for f in document.findings]
            for subject, check, row in rows:
                found.setdefault(subject, {}).setdefault(check, row)
            self._rows[session] = found

    def _about(self, item: Item) -> Document:
        document, rows = self._documents[item.session], list(self._rows[item.session].get(item.subject, {}).values())
        return document.model_copy(update={"cells" if isinstance(document, Run) else "findings": rows})

    def of(self, item: Item) -> str:
        """A command for bash, on one line."""
        return shell(reproduce(self._about(item), item))
