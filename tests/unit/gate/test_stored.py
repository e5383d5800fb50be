"""A changed baseline is stricter, or it is taken for one that loosens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mpcheck.gate.stored import effect_of

FIELDS: dict[str, Any] = {
    "schema_version": 1, "suite": "precision", "device": "cpu", "provenance": {}, "model": {"digest": "d"}, "systems": {"s": "d"}, "seed": 0,
    "cells": {"a": {"out": [0.5, 0.01, 0.02, 0.02], "grad": [0.6, 0.0, 0.02, 0.02]}, "b": {"out": [0.5, 0.0, 0.0, 0.0]}},
}  # fmt: skip


def stored(directory: Path, **changes: Any) -> Path:
    directory.mkdir()
    (directory / "precision.json").write_text(json.dumps({**FIELDS, **changes}))
    return directory / "precision.json"


def cells(**entries: list[float]) -> dict[str, Any]:
    return {**FIELDS["cells"], "a": {**FIELDS["cells"]["a"], **entries}}


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({"provenance": {"commit": "x"}}, "widens"),
        ({"cells": cells(out=[0.2, 0.01, 0.02, 0.02])}, "widens"),
        ({"cells": {**FIELDS["cells"], "c": {"out": [0.5, 0.0, 0.0, 0.0]}}}, "widens"),
        ({"cells": cells(out=[0.9, 0.01, 0.02, 0.02])}, "loosens"),
        ({"cells": cells(out=[0.5, 0.5, 0.02, 0.02])}, "loosens"),
        ({"cells": cells(out=[0.5, 0.01, 9.0, 0.02])}, "loosens"),
        ({"cells": cells(out=[0.5, 0.01, 0.02, 9.0])}, "loosens"),
        ({"cells": {"a": FIELDS["cells"]["a"]}}, "loosens"),
        ({"cells": {**FIELDS["cells"], "a": {"out": [0.5, 0.01, 0.02, 0.02]}}}, "loosens"),
        ({"model": {"digest": "e"}}, "loosens"),
        ({"systems": {}}, "loosens"),
        ({"seed": 1}, "loosens"),
        ({"schema_version": 7}, "loosens"),
    ],
)
def test_ratios(changes: dict[str, Any], effect: str, tmp_path: Path) -> None:
    assert effect_of(stored(tmp_path / "old"), stored(tmp_path / "new", **changes))[0] == effect


def test_other_files(tmp_path: Path) -> None:
    for name in ("bench.json", "bench-history.jsonl"):
        (tmp_path / name).write_text("{}")
    known, history = tmp_path / "bench.json", tmp_path / "bench-history.jsonl"
    assert [effect_of(known, known)[0], effect_of(None, known)[0], effect_of(known, None)[0]] == ["loosens", "widens", "narrows"]
    assert effect_of(history, None)[0] == "neutral"
