"""What base left and what judges is out of reach of head's code, or its alteration is red."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.gate.fake_gate import FakeGate


def of_base(gate: FakeGate, name: str = "precision.json") -> Path:
    return gate.out / "base" / name


def forge_records(gate: FakeGate) -> None:
    of_base(gate).write_text(of_base(gate).read_text().replace('"pass"', '"fail"'))


def link_records(gate: FakeGate) -> None:
    shutil.move(gate.out / "base", gate.out / "elsewhere")
    (gate.out / "base").symlink_to(gate.out / "elsewhere")


ALTERATIONS: dict[str, Callable[[FakeGate], object]] = {
    "records of base": forge_records,
    "records of base, gone": lambda gate: of_base(gate).unlink(),
    "records of base, all gone": lambda gate: shutil.rmtree(gate.out / "base"),
    "records of base, more of them": lambda gate: of_base(gate, "audit.json").write_text("{}"),
    "records of base, linked": link_records,
    "references": lambda gate: (gate.references / "block.reference.safetensors").write_text("forged"),
    "references, gone": lambda gate: (gate.references / "block.reference.json").unlink(),
    "environment of base": lambda gate: (gate.base_home / "lib" / "mace.py").write_text("slow"),
    "environment of base, hook": lambda gate: (gate.base_home / "lib" / "hook.pth").write_text("import evil"),
    "this mpcheck": lambda gate: (gate.own / "verdict.py").open("a").write("PASS\n"),
    "this mpcheck, more": lambda gate: (gate.own / f"hook{len(list(gate.own.iterdir()))}.py").touch(),
    "what decides": lambda gate: next(gate.base_home.parent.rglob("a.model")).write_text("forged"),
    "what decides, more": lambda gate: (next(gate.base_home.parent.rglob("a.model")).parent / "more").write_text("forged"),
}


@pytest.mark.parametrize("when", ["attack", "installs"])
@pytest.mark.parametrize("name", ALTERATIONS)
def test_what_base_left_and_what_judges_is_out_of_reach(name: str, when: str, gate: FakeGate) -> None:
    gate.go()
    honest = of_base(gate).read_bytes()
    setattr(gate, when, ALTERATIONS[name])
    outcome = gate.go()
    assert outcome.verdict == "FAIL" and [o.kind for o in outcome.objected] == ["altered"], outcome.remarks
    assert gate.go(MPCHECK_GATE_ALLOW="settings,baselines,model,structures,mpcheck,comparison,moved,gone").verdict == "FAIL", "nobody may allow it"
    assert of_base(gate).read_bytes() == honest and not of_base(gate).parent.is_symlink(), "written anew as it was"
    assert {path.name for path in of_base(gate).parent.iterdir()} == {"precision.json"}
    assert {path.read_text() for path in gate.cache.rglob("*") if path.is_file()} == {"true values"}, "nothing of it is kept"


def test_honest_traces_of_a_run_are_no_alteration(gate: FakeGate) -> None:
    def attack(gate: FakeGate) -> None:
        (gate.references / "new.reference.json").write_text("of a block that base has not")
        (gate.references / "new.reference.lock").write_text("")
        (gate.base_home / "lib" / "__pycache__").mkdir()
        (gate.base_home / "lib" / "__pycache__" / "mace.cpython-311.pyc").write_text("")

    gate.attack = attack
    assert gate.go().verdict == "PASS"
    assert not list(gate.cache.rglob("new*")), "base did not make it"
