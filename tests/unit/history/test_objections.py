"""What speaks against a gate, in words and as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from mpcheck._errors import InputError
from mpcheck.history.compare import compare
from mpcheck.history.objections import ALLOWANCES, MEANING, MOST, RED, WORDS, Effect, Kind, Objection, cut, of_comparison, read_gate, write_gate
from tests.unit.record_samples import cell, quantity, results, run


@pytest.mark.parametrize("effect", get_args(Effect))
def test_what_turns_a_gate_red_may_be_tolerated(effect: Effect) -> None:
    objection = Objection(kind="model", what="a.model", effect=effect)
    assert objection.red(()) == (effect in RED) and not objection.red(["model"])
    assert MEANING[effect] in objection.text() and ("tolerated" in objection.text(["model"])) == (effect in RED)


def test_every_kind_has_words_and_only_a_contradiction_cannot_be_tolerated() -> None:
    assert set(WORDS) == set(get_args(Kind)) and set(WORDS) - set(ALLOWANCES) == {"records", "altered"}


def test_a_text_of_any_length_is_one_that_an_objection_takes() -> None:
    assert len(Objection(kind="settings", what=cut("x" * 10_000), effect="neutral").what) <= MOST


def test_a_comparison_counts_what_is_for_the_worse() -> None:
    def of(rms: float, *others: Any) -> Any:
        return results(run(cell(quantities=[quantity(rms=rms, digest=str(rms))]), *others))

    worse = compare(of(0.6, cell("gone")), of(1.3))
    assert of_comparison(worse, ()) == ["1 ratio moved beyond noise", "1 gone"]
    assert of_comparison(worse, ("moved",)) == ["1 gone"] and of_comparison(worse, ("moved", "gone")) == []
    assert of_comparison(compare(of(0.6), of(0.6)), ()) == of_comparison(None, ()) == []


def test_comes_back_as_written(tmp_path: Path) -> None:
    objections = [Objection(kind="settings", what="seconds", base="600", head="60", effect="narrows")]
    write_gate(tmp_path / "gate.json", {"moved", "gone"}, objections)
    document = read_gate(tmp_path / "gate.json")
    assert (document.allow, document.objections) == (["gone", "moved"], objections)


@pytest.mark.parametrize("change", [{"allow": ["altered"]}, {"suite": "bench"}, {"schema_version": 2}, {"objections": [{"kind": "x"}]}])
def test_a_file_of_somebody_else_is_read_strictly(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "gate.json"
    write_gate(path, (), [])
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=next(iter(change))):
        read_gate(path)
