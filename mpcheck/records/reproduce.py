"""The exact command that repeats one conclusion."""

from __future__ import annotations

import re
from collections.abc import Collection

from mpcheck._names import GOLDEN, PRECISION
from mpcheck._text import shell
from mpcheck.records.document import Records
from mpcheck.records.items import Item

COMMANDS = {"precision": "run", "symmetry": "symmetry", "audit": "audit", "bench": "bench", "profile": "profile"}
COMMIT = re.compile("[0-9a-f]{7,40}")
REPEATED = "reports/repeated"  # not the report in which the command stands
CHECKED = ("symmetry", "audit")  # sessions whose commands take --check


def reproduce(document: Records, item: Item, blocks: Collection[str] | None = None) -> str:
    """:func:`words` as a command line for a shell, every name from data quoted, on one line."""
    return shell(words(document, item, blocks))


def words(document: Records, item: Item, blocks: Collection[str] | None = None) -> list[str]:
    """The command's words.

    What a gate has judged, a gate repeats: only that imports the tree that was judged, and judges it by what it was judged by.

    Args:
        document: that the item comes from; its options say device and seed.
        blocks: :func:`blocks_of` the document, from who asks for many commands; None looks through all its rows.
    """
    options, gate, model = document.options, _gate(document), document.model.name
    words = ["mpcheck", COMMANDS[item.session], f"./{model}" if model.startswith("-") else model]  # a name is no option
    if gate is not None:
        words = ["mpcheck", "gate", "--base", gate["base"] or "none", "--model", model, "--session", item.session]
    if item.system:
        words += ["--system", item.structure if item.session == "bench" else item.system]
    if item.backend:
        words += ["--backend", item.backend]
    if item.format:
        words += ["--format", item.format]
    if gate is None:
        words += _of_the_session(item)
    block = item.subject in (blocks_of(document) if blocks is None else blocks) or (item.session == "bench" and item.subject == "model")
    if block and item.check != GOLDEN:
        words += ["--block", item.subject]
    if options.get("device", "cpu") != "cpu":
        words += ["--device", str(options["device"])]
    if gate is not None:
        words += ["--out", REPEATED]
    elif options.get("seed"):
        words += ["--seed", str(options["seed"])]
    return words


def _of_the_session(item: Item) -> list[str]:
    """What narrows a session, and a gate has no option for."""
    words = []
    if item.session in CHECKED:
        words += ["--check", item.check]
    if item.session == "bench" and item.batch is not None:
        words += ["--batch", str(item.batch)]
    if item.session == "bench" and item.variant:
        words += ["--work", item.variant]
    return words


def _gate(document: Records) -> dict[str, str] | None:
    """Of the gate that made the records: commits that are nothing but commits, for records may come from anybody."""
    found = document.environment.gate
    return None if found is None else {name: text if COMMIT.fullmatch(text) else "" for name, text in found}


def repeated_where(document: Records) -> str:
    """Where a command that repeats a gate has to be typed, since it gates the files that lie there; empty outside of a gate."""
    gate = _gate(document)
    if gate is None:
        return ""
    return f"in a checkout of {gate['head']}, with its changes where it had some" if gate["head"] else "in the directory that was gated"


def blocks_of(document: Records) -> frozenset[str]:
    """Names that ``--block`` takes: those of the precision session's cells; of findings, subjects that look like submodules or steps.

    A check's own subjects (``model``, ``energy_sum of diamond``, architectures) are no blocks.
    """
    if document.suite == PRECISION:
        return frozenset(about.subject for about in (*document.records, *document.plan) if about.check == PRECISION)
    engaged = frozenset(r.subject for r in document.records if r.check in ("engagement", "equivariance", "layout", "latency", "accumulation"))
    return frozenset(s for s in engaged if " " not in s and s != "model")
