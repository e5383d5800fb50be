"""What speaks against a gate beside red rows: what decides differs between base and head, or a comparison is for the worse.

Data, not prose: a job that posts a comment reads it from somebody else's run, and writes every word itself.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import ConfigDict, Field

from mpcheck._files.documents import DocumentKind, write_document
from mpcheck._files.yaml import Strict
from mpcheck._text import shortened

if TYPE_CHECKING:
    from mpcheck.history.compare import Comparison

FILE = "gate.json"
REMEDY = "make it anew with `mpcheck gate`"
Kind = Literal["settings", "baselines", "model", "structures", "mpcheck", "comparison", "moved", "gone", "records", "altered"]
Allowed = Literal["settings", "baselines", "model", "structures", "mpcheck", "comparison", "moved", "gone"]
ALLOWANCES: tuple[Allowed, ...] = get_args(Allowed)
"""What the workflow may tolerate. That records contradict each other, or that files were altered while head ran, is never tolerated."""
Effect = Literal["narrows", "loosens", "contradicts", "widens", "neutral"]
RED: tuple[Effect, ...] = ("narrows", "loosens", "contradicts")
MEANING: dict[Effect, str] = {
    "narrows": "less would be judged", "loosens": "more would be tolerated", "contradicts": "the verdict cannot be trusted",
    "widens": "more is judged", "neutral": "changes no verdict",
}  # fmt: skip
MOST = 500
Short = Annotated[str, Field(max_length=MOST)]


class Objection(Strict):
    """One difference of what decides, or one reason not to believe what was found.

    Attributes:
        kind: what it concerns. what: the setting, file or session. base, head: what each has. effect: see :data:`MEANING`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Kind
    what: Short
    base: Short = ""
    head: Short = ""
    effect: Effect

    def red(self, allowed: Collection[str]) -> bool:
        """Whether it turns the gate red."""
        return self.effect in RED and self.kind not in allowed

    def text(self, allowed: Collection[str] = ()) -> str:
        """In a line."""
        sides = f": {self.base or 'nothing'} in base, {self.head or 'nothing'} in head" if self.base or self.head else ""
        let = "; tolerated by the workflow" if self.effect in RED and self.kind in allowed else ""
        return f"{WORDS[self.kind]} {self.what}{sides} ({MEANING[self.effect]}){let}"


WORDS: dict[Kind, str] = {
    "settings": "setting", "baselines": "baseline", "model": "model", "structures": "structure", "mpcheck": "another mpcheck judged:",
    "comparison": "base and head cannot be compared:", "moved": "moved:", "gone": "gone:", "records": "the records contradict each other:",
    "altered": "altered while the code of head could run:",
}  # fmt: skip


def cut(text: object) -> str:
    """A text that an objection takes, in a line."""
    return shortened(text, MOST)


def of_comparison(comparison: Comparison | None, allowed: Collection[str]) -> list[str]:
    """What a comparison is red for beside rows that are red in head alone, with counts; empty where tolerated by the workflow."""
    if comparison is None:
        return []
    moved, gone = comparison.grown, comparison.counts.get("gone", 0)
    worse = sum(c.kind == "new-failure" and c.before is not None and c.before.failed for c in comparison.changes)
    reasons = [f"{moved} ratio{'s' * (moved != 1)} moved beyond noise"] if moved and "moved" not in allowed else []
    reasons += [f"{gone} gone"] if gone and "gone" not in allowed else []
    return reasons + ([f"{worse} of what is red in base, too, otherwise than there"] if worse else [])


class GateDocument(Strict):
    """What a gate knows beside its sessions' records.

    Attributes:
        allow: what the workflow tolerates.
    """

    schema_version: Literal[1] = 1
    suite: Literal["gate"] = "gate"
    allow: Annotated[list[Allowed], Field(max_length=len(ALLOWANCES))] = []
    objections: Annotated[list[Objection], Field(max_length=10_000)] = []


KIND = DocumentKind(GateDocument, "gate", 1, REMEDY, "gate")


def write_gate(path: Path, allow: Collection[str], objections: list[Objection]) -> None:
    """Write ``gate.json`` atomically."""
    document = GateDocument.model_validate({"allow": sorted(allow), "objections": [o.model_dump() for o in objections[:10_000]]})
    write_document(path, document, "objections")


def read_gate(path: Path) -> GateDocument:
    """Read what :func:`write_gate` wrote.

    Raises:
        InputError: missing, no JSON, another kind of file or schema version, a wrong field, which is named.
    """
    return KIND.read(path)
