"""Where references come from, in words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mpcheck.records.document import JudgedSystem
from mpcheck.report.references import reference_lines


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
