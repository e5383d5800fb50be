"""A head of one structure stays with it, and a model whose heads are alike is said to be so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ase import Atoms

from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.load import load_object
from mpcheck.adapters.upstream import mace
from mpcheck.checks.physics import properties
from mpcheck.checks.physics.heads import varied
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Options, Session
from tests.unit.adapters.samples import TWO_HEADS

SYSTEM = "builtin:water:1"
ALIKE = {"heads": ["a", "b"], "atomic_energies": TWO_HEADS["atomic_energies"]["a"], "atomic_inter_scale": 1.0, "atomic_inter_shift": 0.0}  # type: ignore[index]


def session_of(cache: Path, **changed: Any) -> Session:
    model = load_object(build_model(Architecture.model_validate(TWO_HEADS | changed)))
    return Session(Options(systems=(SYSTEM,), backends=("e3nn",), cache=cache), model)


@pytest.fixture(scope="module")
def two(cache: Path) -> Session:
    return session_of(cache)


def judged(session: Session, subject: str) -> dict[str, Record]:
    found = properties.INSPECTION.run(session, Key("physics", subject, "e3nn", "float64", SYSTEM))
    return {record.variant: record for record in found}


def red(session: Session, subject: str) -> list[str]:
    return [variant for variant, record in judged(session, subject).items() if record.verdict == "fail"]


def test_sound_heads_pass(two: Session) -> None:
    found = judged(two, "heads")
    assert {v: r.verdict for v, r in found.items()} == dict.fromkeys(("energy", "node_energy", "forces", "E0", "difference"), "pass")
    assert red(two, "batch") == []


def test_only_models_of_several_heads_are_asked(two: Session, cache: Path) -> None:
    assert "heads" in {key.subject for key in properties.INSPECTION.keys(two)}
    one = Session(Options(systems=(SYSTEM,), backends=("e3nn",), cache=cache))
    assert "heads" not in {key.subject for key in properties.INSPECTION.keys(one)}


def test_properties_are_judged_for_every_head(two: Session) -> None:
    assert {v: r.verdict for v, r in judged(two, "net-force").items()} == {"": "pass", "head b": "pass"}


FAULTS: dict[str, tuple[Any, str, Callable[[Any], Any], list[str]]] = {
    "the first structure's": (
        mace.modules.models, "prepare_graph",
        lambda f: lambda *a, **k: (ctx := f(*a, **k))._replace(node_heads=ctx.node_heads[:1].expand_as(ctx.node_heads)),
        ["energy", "node_energy", "forces", "E0"],
    ),
    "always the first head": (
        mace.modules.models, "prepare_graph", lambda f: lambda *a, **k: (ctx := f(*a, **k))._replace(node_heads=torch.zeros_like(ctx.node_heads)),
        ["E0", "difference"],
    ),
    "scaled as the first atom's": (
        mace.modules.blocks.ScaleShiftBlock, "forward", lambda f: lambda self, x, head: f(self, x, head[:1].expand_as(head)),
        ["energy", "node_energy", "forces"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_a_head_that_is_not_the_structure_s_own_is_red(two: Session, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    owner, name, make, expected = FAULTS[kind]
    judged(two, "heads")  # its noise is measured once, before
    monkeypatch.setattr(owner, name, make(getattr(owner, name)))
    found = judged(two, "heads")
    assert [v for v, r in found.items() if r.verdict == "fail"] == expected
    assert all("head" in found[v].reason for v in expected)


@pytest.mark.parametrize("readouts", [True, False])
def test_heads_that_are_alike_are_said_to_be(cache: Path, monkeypatch: pytest.MonkeyPatch, readouts: bool) -> None:
    alike = session_of(cache, **ALIKE)
    if readouts:
        for name, value in (("LinearReadoutBlock", 0.25), ("NonLinearReadoutBlock", 0.5)):
            same = lambda self, x, heads=None, value=value: value * x[:, :1].expand(-1, 2)  # noqa: E731
            monkeypatch.setattr(getattr(mace.modules.blocks, name), "forward", same)
    else:  # they differ in their readouts alone, and nobody asks the second
        monkeypatch.setattr(mace.modules.models, "prepare_graph", FAULTS["always the first head"][2](mace.modules.models.prepare_graph))
    record = judged(alike, "heads")["difference"]
    assert record.verdict == ("inconclusive" if readouts else "fail")
    assert ("the model's heads do not differ" if readouts else "they differ in readouts.0, readouts.1") in record.reason


def test_members_of_a_batch_differ_in_all_that_goes_with_them() -> None:
    class Model:
        heads = ("a", "b")
        inputs = ()

    frames = varied([Atoms("H")] * 3, Model())  # type: ignore[arg-type]
    assert [f.info["head"] for f in frames] == ["b", "a", "b"]
