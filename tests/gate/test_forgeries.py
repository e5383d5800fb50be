"""A pull request that is wrong and hides it, end to end: weaker settings, and an import hook that rewrites what base left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpcheck.history.objections import read_gate
from mpcheck.records.read import read_results
from tests.gate.adopter import SETTINGS, fork, git

pytestmark = pytest.mark.slow
HOOK = """
import pathlib as _pathlib
import sys as _sys

for _place, _word in enumerate(_sys.argv[:-1]):
    _records = _pathlib.Path(_sys.argv[_place + 1]).parent / "base" / "precision.json"
    if _word == "--out" and _records.is_file() and _records.parent.name != _pathlib.Path(_sys.argv[_place + 1]).name:
        _records.write_text(_records.read_text().replace('"verdict":"pass"', '"verdict":"fail"'))
"""


def test_a_wrong_change_that_forges_is_red_and_told(tmp_path: Path) -> None:
    settings = SETTINGS.replace('"precision", "bench"', '"precision"').replace('["float32", "bfloat16"]', '["float32"]')
    settings = settings.replace('"products.1*", ', "")  # one that takes long
    repository = fork(tmp_path / "mace-fork", settings)
    git(repository, "checkout", "--quiet", "fault")
    weaker = settings.replace('"radial_embedding*", ', "").replace("[gate.bench]", 'reference = "own"\nonly-new = true\n\n[gate.bench]')
    (repository / "mpcheck.toml").write_text(weaker)
    with (repository / "mace" / "__init__.py").open("a") as stream:
        stream.write(HOOK)
    git(repository, "commit", "--quiet", "-am", "Forge")
    out = tmp_path / "out"
    own = {n: v for n, v in os.environ.items() if not n.startswith(("MPCHECK_GATE_", "GITHUB_"))}
    command = [sys.executable, "-m", "mpcheck", "gate", "--root", str(repository), "--base", "main", "--out", str(out)]
    done = subprocess.run(command, env={**own, "MPCHECK_CACHE_DIR": str(tmp_path / "cache")}, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    found = {(o.kind, o.what.split(",")[0]) for o in read_gate(out / "gate.json").objections}
    settings_found = {("settings", name) for name in ("blocks", "reference", "only-new")}
    assert found == {*settings_found, ("altered", "records of base")}, done.stdout
    assert read_results([out / "base"]).verdict == "PASS", "written as base made them"
    assert "radial_embedding.bessel_fn" in {item.subject for item in read_results([out / "head"]).failures}, "judged by base's settings"
    assert (out / "report.md").read_text().splitlines()[0].startswith("## Gate: FAIL")
