"""A newcomer: the README's first block of commands, typed as it stands in an empty directory, with a foreign model; what each took.

``python -m tests.wheel.newcomer``: exit status 1 where a command ends otherwise than the README promises, or leaves out what it promises.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.wheel.installed import ROOT, Installed, installed

README = ROOT / "README.md"
INSTALL = "pip install mpcheck"
"""The one step that is done otherwise: what is installed is the wheel of this tree."""


def typed(readme: Path = README) -> list[str]:
    """The commands of the first indented block, without what stands behind them."""
    (block, *_) = re.findall(r"(?:^    .+\n)+", readme.read_text(encoding="utf-8"), re.MULTILINE)
    return [line.partition(" # ")[0].strip() for line in block.splitlines()]


PROMISED: dict[str, Callable[[str, Path], bool]] = {
    "mpcheck policy": lambda said, here: "safe within 1 meV/atom, 10 meV/Å" in said,
    "mpcheck run": lambda said, here: "\nPASS: precision" in said and "model my.model: Na Cl" in said and "1 of 3 frames" in said,
    "mpcheck report": lambda said, here: "<title>PASS" in (here / "report.html").read_text(encoding="utf-8"),
    "mpcheck compare": lambda said, here: "bit-identical" in said,
}
"""By command, what a reader of the README looks for."""


def missing(command: str, done: subprocess.CompletedProcess[str], here: Path) -> str:
    """What the README promises and the command did not do; empty where it did it."""
    if done.returncode:
        return f"exit status {done.returncode}"
    if done.stderr:
        return "something on standard error"
    promise = next(promise for begun, promise in PROMISED.items() if command.startswith(begun))
    return "" if promise(done.stdout, here) else "its output lacks what the README promises"


def stories(environment: Installed, here: Path, commands: list[str]) -> Iterator[tuple[str, float, str]]:
    """Each command, what it took in seconds, and what was wrong."""
    for command in commands:
        began = time.monotonic()
        done = environment.run(shlex.split(command), here)
        wrong = missing(command, done, here)
        yield command, time.monotonic() - began, f"{wrong}\n{done.stdout}{done.stderr}" if wrong else ""


def main() -> int:
    """Type the README's commands."""
    first, *commands = typed()
    if first != INSTALL:
        print(f"README.md begins with {first!r}, not with {INSTALL!r}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="newcomer-") as folder:
        here = Path(folder) / "empty"
        here.mkdir()
        began = time.monotonic()
        environment = installed(Path(folder))
        print(f"{time.monotonic() - began:6.1f} s  {first}  (this tree's wheel)", flush=True)
        made = environment.run([str(environment.python), str(Path(__file__).with_name("foreign.py")), str(here)], here)
        if made.returncode:
            print(made.stderr, file=sys.stderr)
            return 1
        failed = False
        for command, seconds, wrong in stories(environment, here, commands):
            print(f"{seconds:6.1f} s  {command}" + (f"\n  WRONG: {wrong}" if wrong else ""), flush=True)
            failed |= bool(wrong)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
