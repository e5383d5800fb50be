"""Processes of a side end in time, with what they started."""

from __future__ import annotations

import time
from pathlib import Path

from mpcheck.gate.environments import make_side
from mpcheck.gate.processes import run
from mpcheck.gate.trees import Tree


def test_a_process_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    package = tmp_path / "mpcheck"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "hang.py").write_text(
        "import subprocess, sys, time\ndef main():\n    print('begun', flush=True)\n"
        "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(5); open(\"alive\", \"w\")'])\n    time.sleep(60)\n"
    )
    tree = Tree("head", "", tmp_path, tmp_path)
    side = make_side(tree, tree, tmp_path / "env", [], tmp_path / "log", 60)
    ended = run(side, "hang:main", [], tmp_path, tmp_path / "said.log", 2.0)
    assert ended.code is None and ended.lines == ["begun"] and ended.how.startswith("was ended after")
    time.sleep(5.5)
    assert not (tmp_path / "alive").exists()
