"""What is wrong with a reference is told with its block; another code's is never made here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mpcheck.reference.faults import NoReferenceError
from mpcheck.reference.store import Store

VALUES = {"value:out": torch.ones(2)}


def never() -> None:
    raise AssertionError("made by a code that must not make it")


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
