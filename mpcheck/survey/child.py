"""What a part's process begins with: it ends with its survey, leaves no core file, and says where it was when it is ended.

A process that hangs in a kernel holds Python's lock, so that nothing in Python would tell where: ``faulthandler`` writes the frames of every
thread from the signal itself. Processes that a part has started have it by their environment (``PYTHONFAULTHANDLER``).
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

PARENT, FRAMES = "MPCHECK_SURVEY_PARENT", "MPCHECK_SURVEY_FRAMES"
STEP = 1.0
"""Seconds between looks at whether the survey still runs."""


def follow(parent: int) -> None:
    """End this process and those that it started when the survey is gone, killed or not."""
    while os.getppid() == parent:
        time.sleep(STEP)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """``MODULE WORDS``: run a module's ``main`` on words; its result is the exit status."""
    if place := os.environ.pop(FRAMES, ""):
        faulthandler.enable(Path(place).open("w", encoding="utf-8"))  # noqa: SIM115 - open for as long as the process lasts
    module, *words = sys.argv[1:]
    parent = os.environ.pop(PARENT, "")
    if parent and hasattr(os, "killpg"):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        threading.Thread(target=follow, args=(int(parent),), daemon=True).start()
    raise SystemExit(import_module(module).main(words))
