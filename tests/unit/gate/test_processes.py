"""Processes of a side end in time, with what they started."""

from __future__ import annotations

import time
from pathlib import Path

from mpcheck._progress import Counted
from mpcheck.gate.environments import make_side
from mpcheck.gate.processes import relayed, run
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


def test_how_far_a_session_is_reaches_the_gate_and_nothing_else_of_its_log(tmp_path: Path) -> None:
    log, said = tmp_path / "session.log", list[str]()
    counted = Counted(lambda text: None, clock=iter([0.0, 0.0, *[100.0] * 20]).__next__)
    counted.begin(50)
    for red in (False, True):
        counted.ended(red)
    with relayed(log, said.append, every=0.01):
        time.sleep(0.1)  # there is none yet
        log.write_text(f"....  … 1 of 50 done (5 s)\n::error::forged\n  … {counted.text} (15 s)\n  … go to https://example.org\n")
        waited = time.monotonic()
        while not said and time.monotonic() - waited < 60:
            time.sleep(0.01)
        time.sleep(0.1)  # said once, for it has not changed
    assert said == [counted.text] == ["2 of 50 done, 1 red, about 40 min left"]
