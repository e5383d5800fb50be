"""Where references come from: kept with each entry, verified when it is read, told in words; another code's are never made here."""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from mpcheck.records.document import JudgedSystem
from mpcheck.reference.faults import NoReferenceError
from mpcheck.reference.provenance import provenance
from mpcheck.reference.spec import ReferenceSpec
from mpcheck.reference.store import Damaged, Store
from mpcheck.report.references import reference_lines

SPEC = ReferenceSpec("ab", "system", code="c0de" * 6, by=("mace 1 from /place",))
VALUES = {"value:out": torch.ones(2)}


def never() -> None:
    raise AssertionError("made by a code that must not make it")


def test_an_entry_says_which_code_made_it_and_another_s_is_rebuilt(tmp_path: Path) -> None:
    Store(tmp_path, "key", "one").save("a", VALUES, {})
    assert Store(tmp_path, "key", "one").load("a")[1]["code"] == "one"
    other = Store(tmp_path, "key", "other")
    with pytest.raises(Damaged, match="made by code one, and this is the place of code other"):
        other.load("a")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        _, manifest = other.fetch("a", lambda: other.save("a", VALUES, {}))
    assert manifest["code"] == "other" and "is rebuilt" in str(told[0].message)


def test_the_code_of_an_entry_is_under_its_checksum(tmp_path: Path) -> None:
    store = Store(tmp_path, "key", "one")
    store.save("a", VALUES, {})
    path = store.path / "a.json"
    path.write_text(path.read_text().replace('"code": "one"', '"code": "two"'))
    with pytest.raises(Damaged, match="checksum"):
        Store(tmp_path, "key", "two").load("a")


@pytest.mark.parametrize("harm", ["missing", "truncated", "other"])
def test_another_code_s_references_are_never_made_here(tmp_path: Path, harm: str) -> None:
    theirs = Store(tmp_path, "key", "base")
    if harm != "missing":
        Store(tmp_path, "key", "base" if harm == "truncated" else "head").save("x.y.reference", VALUES, {})
    if harm == "truncated":
        (theirs.path / "x.y.reference.safetensors").write_bytes(b"")
    store = Store(tmp_path, "key", "base", made_here=False)
    with pytest.raises(NoReferenceError, match=r"no reference made by base \(code base\) of x.y.reference .* not judged against itself") as caught:
        store.fetch("x.y.reference", never)
    assert caught.value.block == "x.y"
    with pytest.raises(NoReferenceError):
        store.save("new", VALUES, {})


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


def system(name: str, reference: dict[str, Any] | None) -> JudgedSystem:
    return JudgedSystem.model_validate({"name": name, "reference": reference})


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (
            {"origin": "made now", "code": "c0de" * 6, "by": ["mace 1 from /x", "e3nn 2 from /y"]},
            "made now by code c0dec0dec0de: mace 1 from /x, e3nn 2 from /y",
        ),
        ({"origin": "cache", "code": "c0de", "made": "yesterday"}, "from the cache, made yesterday by code c0de"),
        ({"origin": "base", "code": "c0de", "made": "yesterday", "by": []}, "of base, made yesterday by code c0de"),
        ({"origin": "base", "code": ""}, "of base, which made none"),
    ],
)
def test_in_words(reference: dict[str, Any], expected: str) -> None:
    assert reference_lines([system("a", reference), system("b", reference)]) == [f"references: {expected}"]


def test_records_that_say_nothing_or_anything() -> None:
    assert reference_lines([system("a", None), system("b", {"origin": "nowhere"})]) == []
    both = reference_lines([system("a", {"origin": "base", "code": "1"}), system("b", {"origin": "cache", "code": "1"})])
    assert [line.rpartition(" ")[2] for line in both] == ["(a)", "(b)"]
    for damaged in (1, {"origin": ["base"], "code": "x"}):
        with pytest.raises(ValidationError):
            JudgedSystem.model_validate({"name": "a", "reference": damaged})
