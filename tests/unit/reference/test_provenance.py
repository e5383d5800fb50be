"""Where references come from, as records have it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from mpcheck.reference.provenance import provenance
from mpcheck.reference.spec import ReferenceSpec
from mpcheck.reference.store import Store

SPEC = ReferenceSpec("ab", "system", code="c0de" * 6, by=("mace 1 from /place",))


VALUES = {"value:out": torch.ones(2)}


def index(root: Path, spec: ReferenceSpec = SPEC) -> Store:
    store = Store(root, spec.key, spec.code)
    store.save("index", {}, {"order": [], "by": list(spec.by)})
    return store


def test_what_records_say(tmp_path: Path) -> None:
    began = time.time()
    assert provenance(tmp_path, SPEC, began) == {}
    store = index(tmp_path)
    store.save("a.reference", VALUES, {})
    made = json.loads((store.path / "index.json").read_text())["made"]
    facts = {"code": SPEC.code, "made": made, "by": list(SPEC.by)}
    assert provenance(tmp_path, SPEC, began - 1) == {"from": "made now", **facts, "made_now": 1}
    assert provenance(tmp_path, SPEC, time.time() + 60) == {"from": "cache", **facts, "made_now": 0}
    pinned = SPEC.of({"MPCHECK_REFERENCE_CODE": f"{SPEC.code}:{SPEC.model}"})
    assert pinned.key == SPEC.key and provenance(tmp_path, pinned, began) == {"from": "base", **facts}
    missing = SPEC.of({"MPCHECK_REFERENCE_CODE": ":"})
    assert provenance(tmp_path, missing, began) == {"from": "base", "code": "", "made": "", "by": []}


def test_references_of_another_kind(tmp_path: Path) -> None:
    """Whole models have one entry, and no index of blocks."""
    Store(tmp_path, SPEC.key, SPEC.code).save("whole-models", VALUES, {"by": list(SPEC.by)})
    assert provenance(tmp_path, SPEC, time.time() - 60) == {}
    found = provenance(tmp_path, SPEC, time.time() - 60, "whole-models")
    assert (found["from"], found["code"], found["by"]) == ("made now", SPEC.code, list(SPEC.by))
