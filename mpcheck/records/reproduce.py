"""The exact command that repeats one conclusion."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from mpcheck._names import GOLDEN, PRECISION
from mpcheck._text import shell
from mpcheck.records.document import Records
from mpcheck.records.items import Item
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.registry import get

COMMIT = re.compile("[0-9a-f]{7,40}")
WHOLE = "model"
REPEATED = "reports/repeated"  # not the report in which the command stands


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
    options, gate, model, spec = document.options, _gate(document), document.model.name, get(item.session)
    words = ["mpcheck", spec.command, f"./{model}" if model.startswith("-") else model]  # a name is no option
    if gate is not None:
        words = ["mpcheck", "gate", "--base", gate["base"] or "none", "--model", model, "--session", item.session]
    if item.system:
        words += ["--system", item.structure]
    if item.backend:
        words += ["--backend", item.backend]
    if item.format:
        words += ["--format", item.format]
    if gate is None:
        words += _of_the_session(spec, item, options)
    block = item.subject in (blocks_of(document) if blocks is None else blocks) or (spec.model_block and item.subject == WHOLE)
    if block and item.check != GOLDEN:
        words += ["--block", item.subject]
    if options.get("device", "cpu") != "cpu":
        words += ["--device", str(options["device"])]
    if gate is not None:
        words += ["--out", REPEATED]
    elif options.get("seed"):
        words += ["--seed", str(options["seed"])]
    return words


def _of_the_session(spec: SessionSpec, item: Item, options: Mapping[str, Any]) -> list[str]:
    """What narrows a session, and a gate has no option for; and how many trainings of what length a regime was judged by."""
    values = {"checks": item.check, "batches": item.batch, "batch": item.batch, "works": item.variant, "regimes": item.subject}
    values |= {name: options.get(name) for name in ("seeds", "epochs")}
    narrowed = ((one, values[field]) for field, one in spec.declared.items() if values.get(field) not in (None, ""))
    return [word for one, value in narrowed for word in (f"--{one.name}", str(value))]


def _gate(document: Records) -> dict[str, str] | None:
    """Of the gate that made the records: commits that are nothing but commits, for records may come from anybody."""
    gate = document.environment.gate
    return None if gate is None else {name: text if COMMIT.fullmatch(text) else "" for name, text in gate}


def repeated_where(document: Records) -> str:
    """Where a command that repeats a gate has to be typed, since it gates the files that lie there; empty outside of a gate."""
    gate = _gate(document)
    if gate is None:
        return ""
    return f"in a checkout of {gate['head']}, with its changes where it had some" if gate["head"] else "in the directory that was gated"


def blocks_of(document: Records) -> frozenset[str]:
    """Names that ``--block`` takes: subjects of the session's checks of blocks, recorded or planned.

    A check's own subjects (``model``, ``energy_sum of diamond``, architectures) are no blocks; all of precision's are.
    """
    checks = get(document.suite).block_checks
    subjects = {(about.check, about.subject) for about in (*document.records, *document.plan) if about.check in checks}
    return frozenset(name for check, name in subjects if check == PRECISION or (" " not in name and name != WHOLE))
