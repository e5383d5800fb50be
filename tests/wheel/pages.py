"""Every command in a block of code of the README and the pages, typed as it stands: from the wheel, in a directory of its own, on a tiny model.

``python -m tests.wheel.pages [PAGE …]``: exit status 1 where a command ends otherwise than well, or is neither run nor listed in
``not_run.yaml`` with a reason, or where an entry of that list is of no command any more. The references of the tiny model are made once.
"""

from __future__ import annotations

import fnmatch
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from tests.unit import forked
from tests.unit.docs_reading import PAGES, ROOT, blocks, split
from tests.wheel import newcomer
from tests.wheel.installed import Installed, installed

LIST = Path(__file__).with_name("not_run.yaml")
HISTORY = "CHANGELOG.md"
"""A page that tells what was, not what to type."""
PROGRAMS = ("mpcheck", "python", "python3", "nox", "pip", "pytest", "git", "sbatch", "ase", "crontab")
"""What a line of a block begins with where it is a command."""
GREEN = {"mpcheck tolerances check": (0, 1)}
"""Exit statuses that are no failure of a page. The packaged table was derived in a process of its own; in a fork, where TorchScript has other
code ready, the noise of a scripted block in float64 (spherical harmonics, backward) came out 7 % larger than the table's 1 % allows.
"""


@dataclass(frozen=True)
class Typed:
    """A command as it stands on pages.

    Attributes:
        pages: on which. words: split as a shell does.
    """

    text: str
    pages: tuple[str, ...]
    words: tuple[str, ...]


def typed(pages: Sequence[Path] = PAGES) -> list[Typed]:
    """Commands of blocks of code, each once."""
    found: dict[str, tuple[list[str], tuple[str, ...]]] = {}
    for page in pages:
        for block in blocks(page.read_text(encoding="utf-8")) if page.name != HISTORY else ():
            for line in block.replace("\\\n", " ").splitlines():
                for words in split(line):
                    if words[0].rpartition("/")[2] in PROGRAMS:
                        found.setdefault(" ".join(words), ([], tuple(words)))[0].append(page.name)
    return [Typed(text, tuple(dict.fromkeys(where)), words) for text, (where, words) in found.items()]


def reasons() -> dict[str, str]:
    """Why what matches a pattern is not run."""
    data = YAML(typ="safe").load(LIST.read_text(encoding="utf-8"))
    return {pattern: str(reason) for pattern, reason in data.items()}


def reason_of(command: Typed, listed: dict[str, str]) -> str:
    """Why a command is not run; empty where it is."""
    return next((reason for pattern, reason in listed.items() if fnmatch.fnmatchcase(command.text, pattern)), "")


def unaccounted(commands: Sequence[Typed], listed: dict[str, str]) -> Iterator[str]:
    """What is wrong with the list: commands that can neither be run nor are listed, and entries of no command."""
    for command in commands:
        if command.words[0] != "mpcheck" and not reason_of(command, listed):
            yield f"{', '.join(command.pages)}: `{command.text}` is none of mpcheck's and not in {LIST.name}: say there why it is not run"
    for pattern, reason in listed.items():
        if not any(fnmatch.fnmatchcase(command.text, pattern) for command in commands):
            yield f"{LIST.name}: no page has a command like `{pattern}`; take it out"
        if len(reason.split()) < 3:
            yield f"{LIST.name}: `{pattern}` needs a reason, not {reason!r}"


def run(environment: Installed, words: Sequence[str], where: Path) -> tuple[int, str]:
    """Type a command of mpcheck's; exit status and output."""
    (own,) = environment.home.glob("lib/python*/site-packages")
    done = forked.run(["-m", *words], where, dict(environment.variables(PYTHONPATH=str(own))), merged=True)
    return done.returncode, done.stdout


def script(part: str) -> str:
    """The one script of the pages that has a part."""
    (found,) = (block for page in PAGES for block in blocks(page.read_text(encoding="utf-8")) if part in block and "import" in block)
    return found


def prepared(environment: Installed, home: Path) -> None:
    """What pages take for granted: a model, structures, records of earlier runs and of all parts of one, limits of one's own.

    Raises:
        RuntimeError: a run is not green.
    """
    home.mkdir()
    made = environment.run([str(environment.python), str(Path(__file__).with_name("foreign.py")), str(home)], home)
    if made.returncode:
        raise RuntimeError(made.stderr)
    shutil.copy(home / "my.xyz", home / "md.extxyz")
    recorded = environment.run([str(environment.python), "-c", script("mpcheck.capture(")], home)
    if recorded.returncode:
        raise RuntimeError(recorded.stderr)
    shutil.copy(ROOT / "tolerances" / "limits.yaml", home / "mine.yaml")
    narrow = ["--system", "my.xyz", "--backend", "e3nn", "--format", "float32"]
    for words in (["--out", "reports"], *(["--shard", f"{n}/4", "--out", f"part{n}"] for n in range(1, 5))):
        status, said = run(environment, ["mpcheck", "run", "my.model", *narrow, *words], home)
        if status:
            raise RuntimeError(said)
    for name in ("before", "after", "reports/gate/head"):
        shutil.copytree(home / "reports", home / name, ignore=shutil.ignore_patterns("gate"))
    status, said = run(environment, ["mpcheck", "history", "record", "reports/gate/head", "--dir", "history", "--kind", "gate"], home)
    if status:
        raise RuntimeError(said)


def main(arguments: Sequence[str]) -> int:
    """Type them."""
    every, listed = typed(), reasons()
    wrong = list(unaccounted(every, listed))
    apart = {*newcomer.typed()}  # typed one after the other in one directory, by the other half of the session
    chosen = [c for c in every if c.words[0] == "mpcheck" and c.text not in apart and not reason_of(c, listed)]
    chosen = [c for c in chosen if not arguments or set(arguments) & set(c.pages)]
    print("\n".join(wrong) or f"{len(every)} commands on the pages, {len(chosen)} of them are run", flush=True)
    with tempfile.TemporaryDirectory(prefix="pages-") as folder:
        began = time.monotonic()
        environment, home = installed(Path(folder)), Path(folder) / "home"
        prepared(environment, home)
        print(f"{time.monotonic() - began:6.1f} s  wheel, model, records", flush=True)
        for number, command in enumerate(chosen):
            here, began = Path(folder) / str(number), time.monotonic()
            shutil.copytree(home, here)
            status, said = run(environment, command.words, here)
            right = next((statuses for begun, statuses in GREEN.items() if command.text.startswith(begun)), (0,))
            if status not in right or re.search(r"^Traceback", said, re.MULTILINE):
                wrong.append(f"{', '.join(command.pages)}: `{command.text}` ended with {status}:\n{said}")
            print(f"{time.monotonic() - began:6.1f} s  {status}  {command.text}", flush=True)
            shutil.rmtree(here)
    print("\n".join(wrong), file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
