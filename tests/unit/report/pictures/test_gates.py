"""History over commits."""

from __future__ import annotations

import re

from mpcheck.report.pictures import pictures
from tests.unit.report.pictures.samples import entries, full, named, results, texts


def test_history_marks_changed_versions_and_lasting_changes() -> None:
    base = results(full())
    found = named(pictures(base, entries(20, base, 10, red=["precision/precision:s/a"])), "history")
    words = texts(found)
    assert "1 torch 2.13.0 -> 2.14.0 at 0000010a" in words
    assert sum(w.startswith("A bfloat16 +") and w.endswith("at 0000010a") for w in words) == 1
    assert not any(w.startswith("B ") for w in words)
    assert "red: 1, last 0000019a" in found.alt


def test_history_without_change_marks_none_and_other_work_is_left_out() -> None:
    base = results(full())
    same = entries(20, base)
    assert not any(re.match(r"[A-Z0-9] ", w) for w in texts(named(pictures(base, same), "history")))
    other = [e.model_copy(update={"options": "else"}) for e in same[:5]]
    assert "5 entries are not drawn" in named(pictures(base, [*other, *same[5:]]), "history").caption
    assert all(p.section != "history" for p in pictures(base, same[:1]))
