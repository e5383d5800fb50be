"""The exact command that repeats one conclusion."""

from __future__ import annotations

from collections.abc import Collection

from mpcheck._text import shell
from mpcheck.findings import Findings
from mpcheck.records import Run
from mpcheck.results.items import GOLDEN, Item

COMMANDS = {"precision": "run", "symmetry": "symmetry", "audit": "audit", "bench": "bench", "profile": "profile"}
CHECKED = ("symmetry", "audit")  # sessions whose commands take --check


def reproduce(document: Run | Findings, item: Item, blocks: Collection[str] | None = None) -> str:
    """:func:`words` as a command line for a shell, every name from data quoted, on one line."""
    return shell(words(document, item, blocks))


def words(document: Run | Findings, item: Item, blocks: Collection[str] | None = None) -> list[str]:
    """The command's words.

    Args:
        document: that the item comes from; its options say device and seed.
        blocks: :func:`blocks_of` the document, from who asks for many commands; None looks through all its rows.
    """
    options, model = document.options, str(document.model["name"])
    words = ["mpcheck", COMMANDS[item.session], f"./{model}" if model.startswith("-") else model]  # a name is no option
    if item.system:
        words += ["--system", item.system.partition("*")[0] if item.session == "bench" else item.system]
    if item.backend:
        words += ["--backend", item.backend]
    if item.format:
        words += ["--format", item.format]
    if item.session in CHECKED:
        words += ["--check", item.check]
    if item.session == "bench" and "*" in item.system:
        words += ["--batch", item.system.rpartition("*")[2]]
    if item.session == "bench" and item.variant:
        words += ["--work", item.variant]
    block = item.subject in (blocks_of(document) if blocks is None else blocks) or (item.session == "bench" and item.subject == "model")
    if block and item.check != GOLDEN:
        words += ["--block", item.subject]
    if options.get("device", "cpu") != "cpu":
        words += ["--device", str(options["device"])]
    if options.get("seed"):
        words += ["--seed", str(options["seed"])]
    return words


def blocks_of(document: Run | Findings) -> frozenset[str]:
    """Names that ``--block`` takes: those of the precision session's cells; of findings, subjects that look like submodules or steps.

    A check's own subjects (``model``, ``energy_sum of diamond``, architectures) are no blocks.
    """
    if isinstance(document, Run):
        return frozenset(c.block for c in document.cells)
    engaged = frozenset(f.subject for f in document.findings if f.check in ("engagement", "equivariance", "layout", "latency", "accumulation"))
    return frozenset(s for s in engaged if " " not in s and s != "model")
