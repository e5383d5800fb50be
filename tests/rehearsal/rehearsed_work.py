"""What the rehearsal's parts do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mpcheck.survey.found import Finding, write_found


def main(words: Sequence[str]) -> int:
    what, out = words
    (Path(out) / "pid.txt").write_text(str(os.getpid()), encoding="utf-8")
    if what == "raises":
        raise RuntimeError("a kernel that does not load")
    if what == "hangs":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        (Path(out) / "child.txt").write_text(str(child.pid), encoding="utf-8")
        stuck_in_a_kernel()
    (Path(out) / "trace.json.gz").write_bytes(os.urandom(40 << 20))
    write_found(Path(out), [Finding(name="flood", verdict="pass")])
    return 0


def stuck_in_a_kernel() -> None:
    time.sleep(1000)
