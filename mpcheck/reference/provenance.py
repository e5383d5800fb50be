"""Where the references of a run come from, for its records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._files.documents import read_fields
from mpcheck._files.io import MAX_TEXT_BYTES
from mpcheck.reference.capture import INDEX
from mpcheck.reference.spec import ReferenceSpec
from mpcheck.reference.store import place_of

NOW, CACHE, BASE = "made now", "cache", "base"


def provenance(root: Path, spec: ReferenceSpec, began: float, entry: str = INDEX) -> dict[str, Any]:
    """Of the references of one model on one system; empty where the run has used none.

    Args:
        root: of the cache. began: when the run did, seconds since the epoch: what is younger, one of its processes has made.
        entry: that every reference of this kind has.

    Returns:
        ``from``: "made now" (some of them, at least), "cache" or "base"; ``code``: digest of the code that made them; ``made``: when
        the first of them was; ``by``: its packages in words; ``made_now``: how many blocks' references are of this run.
    """
    path = place_of(root, spec.key)
    try:
        index = read_fields(path / f"{entry}.json", "index of references", "", MAX_TEXT_BYTES)
    except InputError:
        return {"from": BASE, "code": spec.code, "made": "", "by": []} if spec.pinned else {}
    facts = {"code": spec.code, "made": str(index.get("made", "")), "by": list(index.get("by", []))}
    if spec.pinned:
        return {"from": BASE, **facts}
    young = [made for made in path.glob("*.json") if made.stat().st_mtime >= began]
    return {"from": NOW if young else CACHE, **facts, "made_now": sum(made.name.endswith(".reference.json") for made in young)}
