"""Whose references judge a run, with forks of MACE that keep their version: the code's own or, in a gate, base's, also when a command is pasted."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mpcheck.records.document import Gate, Records, read_records
from tests.gate.adopter import fork, git

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
FILE, RIGHT = Path("mace/modules/radial.py"), "        numerator = torch.sin(self.bessel_weights * x)  # [..., num_basis]\n"
WRONG = "        numerator = torch.sin(self.bessel_weights * x) * 1.001  # [..., num_basis]\n"
BLOCK = "radial_embedding.bessel_fn"
NARROW = ["--system", "builtin:water", "--backend", "e3nn", "--format", "float32"]
SETTINGS = """\
[gate]
model = "builtin:hco"
systems = ["builtin:water"]
backends = ["e3nn"]
formats = ["float32"]
blocks = ["radial_embedding*", "scale_shift"]
sessions = ["precision", "symmetry"]
"""


def mpcheck(place: Path, *words: str, path: str = "", expect: int = 0) -> str:
    """Run a command as a user does; what it said."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("MPCHECK_", "GITHUB_", "PYTHONPATH"))}
    own = {"PYTHONPATH": os.pathsep.join(filter(None, (path, str(ROOT)))), "MPCHECK_CACHE_DIR": str(place / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", "import sys; sys.path.remove(''); from mpcheck.cli.main import entry; entry()", *words]
    done = subprocess.run(command, cwd=place, env={**kept, **own}, capture_output=True, text=True, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout


def planted(where: Path) -> None:
    path = where / FILE
    text = path.read_text()
    assert text.count(RIGHT) == 1, "another version of MACE"
    path.write_text(text.replace(RIGHT, WRONG))


def red(run: Records) -> set[str]:
    return {cell.subject for cell in run.records if cell.verdict == "fail"}


def test_a_broken_fork_leaves_no_reference_for_the_sound_one(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("mace")
    assert spec is not None and spec.origin is not None
    for name in ("broken", "sound"):
        shutil.copytree(Path(spec.origin).parent, tmp_path / name / "mace", ignore=shutil.ignore_patterns("__pycache__"))
    planted(tmp_path / "broken")
    found, said = {}, {}
    for number, name in enumerate(("broken", "sound", "sound", "broken")):
        out = tmp_path / f"out{number}"
        said[number] = mpcheck(tmp_path, "run", "builtin:hco", *NARROW, "--block", BLOCK, "--out", str(out), "-v", path=str(tmp_path / name))
        found[number] = read_records(out / "precision.json").systems[0].reference
    assert [found[n].origin for n in range(4)] == ["made now", "made now", "cache", "cache"]
    assert found[0].code == found[3].code != found[1].code == found[2].code
    assert found[1].made == found[2].made and found[1].by[0].startswith("mace ") and str(tmp_path / "sound") in found[1].by[0]
    assert f"references: made now by code {found[0].code[:12]}: mace " in said[0]
    assert f"references: from the cache, made {found[3].made} by code {found[3].code[:12]}: mace " in said[3]
    assert found[3].code[:12] in (tmp_path / "out3" / "precision.md").read_text()


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fork with a wrong formula in its working tree, after a gate that must be red."""
    place = tmp_path_factory.mktemp("adopter")
    repository = fork(place / "fork", SETTINGS)
    planted(repository)
    said = mpcheck(place, "gate", "--root", str(repository), "--base", "main", "--out", str(place / "gate"), expect=1)
    (place / "said").write_text(said)
    return place


def commands(text: str) -> list[list[str]]:
    """Commands of a gate that stand in a text."""
    found = re.findall(r"mpcheck gate --base [^\n<|]*", text)
    assert found, text
    return [shlex.split(line.strip().strip("`"))[1:] for line in found]


def test_head_is_judged_by_base_s_references(gated: Path) -> None:
    head, base = (read_records(gated / "gate" / side / "precision.json") for side in ("head", "base"))
    assert red(head) == {BLOCK, "radial_embedding"} and not red(base)
    assert head.systems[0].reference.origin == "base" and base.systems[0].reference.origin == "made now"
    assert head.systems[0].reference.code == base.systems[0].reference.code
    commit = git(gated / "fork", "rev-parse", "--short=12", "HEAD")
    assert head.environment.gate == Gate(base=commit, head=commit) and base.environment.gate is None
    symmetry = json.loads((gated / "gate" / "head" / "symmetry.json").read_text())
    assert symmetry["systems"][0]["reference"]["origin"] == "base"


@pytest.mark.parametrize("where", ["said", "gate/report.md", "gate/report.html", "gate/head/precision.md", "comment.md"])
def test_a_pasted_command_is_red_for_the_same_block(gated: Path, where: str) -> None:
    if where == "comment.md":
        mpcheck(gated, "comment", "gate", "--out", where)
    text = (gated / where).read_text()
    assert "in a checkout of " + git(gated / "fork", "rev-parse", "--short=12", "HEAD") in text
    chosen = commands(text)[0]
    assert ("--root" in chosen) == (where == "said")
    if where != "gate/report.md":
        return  # they are the same; one of them is typed in
    assert all(c[: len(chosen)] == chosen for name in ("said", "gate/report.html") for c in commands((gated / name).read_text())[:1])
    shutil.rmtree(gated / "fork" / "reports", ignore_errors=True)
    said = mpcheck(gated, *chosen, "--root", "fork", expect=1)
    again = read_records(gated / "reports" / "repeated" / "head" / "precision.json")
    assert chosen[chosen.index("--block") + 1] in red(again), said
    assert len({cell.subject for cell in again.records}) == 1


def test_a_block_that_base_does_not_have_is_not_judged_by_head_itself(tmp_path: Path) -> None:
    """A gate whose base came to no verdict, as head sees it: every block is red and named, nothing is made."""
    out = tmp_path / "out"
    words = ["run", "builtin:hco", *NARROW, "--block", BLOCK, "--block", "scale_shift", "--out", str(out)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPCHECK_REFERENCE_CODE", ":")
        kept = {**os.environ, "MPCHECK_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run([sys.executable, "-m", "mpcheck", *words], cwd=ROOT, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    run = read_records(out / "precision.json")
    assert {c.subject for c in run.records} == red(run) == {BLOCK, "scale_shift"}
    assert all("Head is not judged against itself" in c.reason for c in run.records)
    assert run.systems[0].reference.origin == "base" and not list((tmp_path / "cache").rglob("*.safetensors"))
