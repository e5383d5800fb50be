"""Files that decide beside the code are base's, and a change of them is told."""

from __future__ import annotations

import pytest

from mpcheck._errors import InputError
from tests.gate.adopter import git
from tests.unit.gate.fake_gate import SETTINGS, FakeGate

THERE = {"a_model": "model", "w_xyz": "structures", "stored__cpu__precision_json": "baselines"}


@pytest.mark.parametrize(
    ("file", "kind", "text"),
    [*((file, kind, text) for file, kind in THERE.items() for text in ("forged", None)), ("stored__cpu__bench_json", "", "forged")],
)
def test_files_of_the_change_do_not_decide(file: str, kind: str, text: str | None, gate: FakeGate) -> None:
    gate.change(**{file: text})
    outcome = gate.go()
    assert [o.kind for o in outcome.objections] == [kind or "baselines"] and outcome.verdict == ("FAIL" if kind else "PASS")
    assert "forged" not in str(gate.seen)
    assert gate.go(MPCHECK_GATE_ALLOW=kind).verdict == "PASS"


def test_a_pointer_of_git_lfs_is_the_file_that_it_names(gate: FakeGate) -> None:
    import hashlib

    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(b'big').hexdigest()}\nsize 3\n"
    gate.change(a_model=pointer)
    git(gate.root, "commit", "-qm", "two", "a.model")
    gate.change(a_model="big")
    assert gate.go().objections == [] and gate.seen["base"]["a.model"] == "big"
    gate.change(a_model="bigger")
    with pytest.raises(InputError, match="a pointer of Git LFS, not the file; fetch it"):
        gate.go()


@pytest.mark.parametrize("setting", ["policies", "protocols"])
def test_files_of_policies_and_protocols_are_bases_and_a_change_of_them_is_told(setting: str, gate: FakeGate) -> None:
    """A change that makes the judged policy or protocol easier decides nothing."""
    gate.change(own_yaml="strict", mpcheck_toml=SETTINGS + f'{setting} = ["own.yaml", "float32"]\n')
    git(gate.root, "add", "own.yaml", "mpcheck.toml")
    git(gate.root, "commit", "-qm", "settings")
    assert gate.go().objections == [] and gate.seen["head"]["own.yaml"] == "strict"
    gate.change(own_yaml="easy")
    outcome = gate.go()
    assert [(o.kind, o.what, o.effect) for o in outcome.objections] == [("settings", "own.yaml", "loosens")] and outcome.verdict == "FAIL"
    assert gate.seen["head"]["own.yaml"] == gate.seen["base"]["own.yaml"] == "strict"
    gate.change(own_yaml=None)
    assert [o.effect for o in gate.go().objections] == ["narrows"]
