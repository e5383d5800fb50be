"""Policies of whole models in a gate: a pull request that keeps them is green, one that makes them worse is red and the policy is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from ase import Atoms
from ase.io import write

from mpcheck.history.objections import read_gate
from mpcheck.records.policy_figures import PolicyCost, PolicyErrors
from mpcheck.records.read import Results, read_results
from tests.gate.adopter import CHANGES, fork, git
from tests.gate.test_references import mpcheck
from tests.unit.checks.uses.small_models import built

pytestmark = pytest.mark.slow
SETTINGS = """\
[gate]
model = "small.model"
systems = ["six.xyz"]
backends = ["e3nn"]
sessions = ["policy"]
policies = ["float32"]
"""
HOOK = """
import pathlib as _pathlib
import sys as _sys

for _place, _word in enumerate(_sys.argv[:-1]):
    _records = _pathlib.Path(_sys.argv[_place + 1]).parent / "base" / "policy.json"
    if _word == "--out" and _records.is_file() and _records.parent.name != _pathlib.Path(_sys.argv[_place + 1]).name:
        _records.write_text(_records.read_text().replace('"verdict":"pass"', '"verdict":"fail"'))
"""
"""Of an import that makes base as red as head is."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MACE with a small model and a structure; ``clean`` rounds otherwise, ``worse`` rounds more, computes twice, and forges."""
    where = fork(tmp_path_factory.mktemp("adopter") / "fork", SETTINGS)
    torch.save(built("ScaleShiftMACE"), where / "small.model")
    positions = [[0.1, 0.0, 0.0], [0.9, 0.3, 0.1], [-0.5, 0.8, 0.2], [2.2, 1.9, 0.4], [2.9, 2.5, 0.6], [1.6, 2.4, 1.1]]
    write(where / "six.xyz", Atoms("OHHOHH", positions=positions, cell=[4.6, 4.9, 5.1], pbc=True))
    git(where, "add", ".")
    git(where, "commit", "--quiet", "-m", "A model")
    git(where, "checkout", "--quiet", "clean")
    git(where, "rebase", "--quiet", "main")
    git(where, "checkout", "--quiet", "-b", "worse", "main")
    for change in (CHANGES["fault"], CHANGES["slow"]):
        path = where / change.file
        path.write_text(path.read_text().replace(change.old, change.new))
    with (where / "mace" / "__init__.py").open("a") as stream:
        stream.write(HOOK)
    git(where, "commit", "--quiet", "-am", "Worse, and it forges")
    return where


def gated(repository: Path, branch: str, place: Path) -> tuple[str, Path]:
    """What a gate of a branch says, and its files."""
    git(repository, "checkout", "--quiet", branch)
    said = mpcheck(place, "gate", "--root", str(repository), "--base", "main", "--out", str(place / "gate"), expect=int(branch == "worse"))
    return said, place / "gate"


@pytest.fixture(scope="module")
def clean(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    return gated(repository, "clean", tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def worse(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    return gated(repository, "worse", tmp_path_factory.mktemp("worse"))


def results(out: Path, side: str) -> Results:
    return read_results([out / side])


def details(out: Path, side: str, kind: type) -> list[Any]:
    return [r.detail for r in results(out, side).documents["policy"].records if isinstance(r.detail, kind)]


def test_other_roundings_are_green(clean: tuple[str, Path]) -> None:
    said, out = clean
    assert "PASS: head" in said, said
    reference = results(out, "head").first.systems[0].reference
    assert reference is not None and reference.origin == "base", "judged by what base computed"
    assert reference.code == results(out, "base").first.systems[0].reference.code != ""  # type: ignore[union-attr]  # it has one
    assert {"float32"} == {r.subject for r in results(out, "head").documents["policy"].records if r.check == "policy"}
    assert "float32" in (out / "report.html").read_text()


def test_a_policy_that_errs_more_is_red_and_named(worse: tuple[str, Path]) -> None:
    said, out = worse
    assert {(i.check, i.subject) for i in results(out, "head").failures} == {("policy", "float32")}
    assert results(out, "base").verdict == "PASS", "written as base made them"
    first = (out / "report.md").read_text().splitlines()[0]
    assert first.startswith("## Gate: FAIL") and "FAIL" in said
    assert "float32" in (out / "report.md").read_text()
    old, new = (details(out, side, PolicyErrors)[0].force_meV_per_A for side in ("base", "head"))
    assert new > 10 * old


def test_a_policy_that_costs_more_is_red_and_named(worse: tuple[str, Path]) -> None:
    _, out = worse
    old, new = (details(out, side, PolicyCost)[0] for side in ("base", "head"))
    assert new.operations > 1.03 * old.operations
    changes = json.loads((out / "comparison.json").read_text())["changes"]
    told = next(c for c in changes if c["item"] == "policy/policy:six.xyz/float32-e3nn-cost")
    assert told["kind"] == "moved" and "operations of a call" in told["detail"]
    assert "moved beyond noise" in (out / "report.md").read_text()


def test_forged_records_of_base_are_told(worse: tuple[str, Path]) -> None:
    _, out = worse
    assert ("altered", "records of base") in {(o.kind, o.what.split(",")[0]) for o in read_gate(out / "gate.json").objections}


def edited(out: Path, place: Path, change: Any) -> str:
    """What a comparison says of base against head whose records somebody has edited."""
    shutil.copytree(out, place / "gate")
    path = place / "gate" / "head" / "policy.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return mpcheck(place, "compare", "gate/base", "gate/head", expect=1)


def test_rows_that_are_gone_are_red(clean: tuple[str, Path], tmp_path: Path) -> None:
    def without(document: dict[str, Any]) -> None:
        document["records"] = [r for r in document["records"] if r["variant"] != "forces"]

    assert "float32-e3nn-forces" in edited(clean[1], tmp_path, without)


def test_errors_that_grew_are_red_whatever_their_verdict_says(clean: tuple[str, Path], tmp_path: Path) -> None:
    def larger(document: dict[str, Any]) -> None:
        for record in document["records"]:
            if (record.get("detail") or {}).get("kind") == "policy-errors":
                for name in ("force_meV_per_A", "predicted_force_meV_per_A"):
                    record["detail"][name] *= 2

    assert "forces meV/Å" in edited(clean[1], tmp_path, larger)
