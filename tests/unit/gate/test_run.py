"""A pull request chooses nothing of its gate, and what it rewrites is told: each forgery is red, the same gate without it is green."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gate.adopter import git
from tests.unit import report_samples as samples
from tests.unit.gate.fake_gate import FakeGate, line


def test_a_clean_gate_is_green_and_base_comes_before_anything_of_head(gate: FakeGate) -> None:
    outcome = gate.go()
    assert (outcome.verdict, outcome.code, outcome.objections, outcome.remarks) == ("PASS", 0, [], [])
    assert gate.order == ["make base", "probe base", "precision of base", "make head", "probe head", "precision of head"]
    assert "settings: those of base decide" in gate.report
    assert gate.seen["base"] == gate.seen["head"] == {"a.model": "weights", "w.xyz": "atoms", "stored/cpu/precision.json": "{}"}
    kept = sorted(path.name for path in gate.cache.rglob("*") if path.is_file())
    assert kept == ["block.reference.json", "block.reference.safetensors"], "what base made serves the next gate"


def test_records_that_cannot_be_compared_are_red(gate: FakeGate) -> None:
    gate.document = lambda run: run.model_copy(update={"model": run.model.model_copy(update={"digest": "another"})})
    outcome = gate.go()
    assert outcome.verdict == "FAIL" and [o.kind for o in outcome.objected] == ["comparison"]
    assert "base and head cannot be compared" in gate.report
    assert gate.go(MPCHECK_GATE_ALLOW="comparison").verdict == "PASS"


def test_a_repository_without_code_is_about_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = FakeGate(tmp_path, monkeypatch)
    git(gate.root, "rm", "-rfq", "pkg")
    git(gate.root, "commit", "-qm", "two")
    gate.change(a_model="trained anew")
    assert gate.go().verdict == "PASS" and gate.seen["head"]["a.model"] == "trained anew" and "base" not in gate.seen
    gate.change(mpcheck_toml=line('"radial*", ', ""))
    assert gate.go().verdict == "FAIL"


def test_many_ratios_that_moved_below_their_limits_are_red(gate: FakeGate) -> None:
    gate.base, gate.head = samples.grid(lambda *_: 0.5), samples.grid(lambda *_: 0.98)
    outcome = gate.go(MPCHECK_GATE_ONLY_NEW="true")
    assert (outcome.verdict, outcome.code) == ("FAIL", 1)
    assert outcome.headline.endswith("0 red, 120 ratios moved beyond noise") and "120 ratios moved beyond noise" in gate.report
    assert "120 ratios moved beyond noise" in (gate.out / "report.html").read_text()
    assert gate.go(MPCHECK_GATE_ALLOW="moved").verdict == "PASS"


def test_what_is_gone_is_red_and_what_improved_is_not(gate: FakeGate) -> None:
    gate.head = samples.grid()[:-2]
    outcome = gate.go()
    assert outcome.verdict == "FAIL" and "2 gone" in outcome.headline
    gate.base, gate.head = samples.grid(lambda *_: 0.98), samples.grid(lambda *_: 0.5)
    outcome = gate.go()
    assert outcome.verdict == "PASS" and outcome.comparison is not None and set(outcome.comparison.counts) == {"improved"}
