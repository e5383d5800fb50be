"""A case: a mutated file and what reads it; and what is wrong with how that ended."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import random
import signal
import tempfile
import traceback
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Annotated

from pydantic import Field

from mpcheck._errors import InputError
from mpcheck._files.yaml import Strict, load_yaml
from tests.fuzz.inputs.mutators import mutated
from tests.fuzz.inputs.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 5.0
GROWTH = 500 << 20
MOST_LINES, LONGEST = 4, 2000
SEEDS = sorted({target.seed for target in TARGETS.values()})


class HangError(BaseException):
    """No ``except Exception`` may swallow it."""


@dataclass(frozen=True)
class Case:
    """Content for a target's file, and which of its attempts reads it."""

    target: str
    attempt: int
    content: bytes


class Kept(Strict):
    """A finding in the corpus, as YAML.

    Attributes:
        content: of the file, compressed by zlib, in base64. found: what was wrong. seed: of the campaign and the number of the case in it.
    """

    target: str
    attempt: Annotated[int, Field(ge=0)]
    content: str
    found: str
    seed: str

    @property
    def case(self) -> Case:
        """To be run."""
        return Case(self.target, self.attempt, zlib.decompress(base64.b64decode(self.content)))


def corpus() -> dict[str, Kept]:
    """Everything that was once found, by name."""
    return {path.stem: load_yaml(Kept, path, "kept input") for path in sorted(CORPUS.glob("*.yaml"))}


def draw(root: Path, seed: str) -> Case:
    """The case of a seed: the same on every machine."""
    rng = random.Random(seed)
    while True:
        name = rng.choice(list(TARGETS))
        target = TARGETS[name]
        if rng.randrange(target.every) == 0:
            break
    others = [_content(root, other) for other in SEEDS]
    return Case(name, rng.randrange(len(target.attempts)), mutated(_content(root, target.seed), rng, others))


@cache
def _content(root: Path, seed: str) -> bytes:
    return (root / seed).read_bytes()


def run(case: Case, root: Path) -> str:
    """What is wrong with how a case ended; empty where it is as it should be."""
    target = TARGETS[case.target]
    with tempfile.TemporaryDirectory(prefix="mpcheck-inputs-") as name:
        directory = Path(name)
        file = target.laid(root, directory, case.content)
        before = _peak_reset()
        out, err = io.StringIO(), io.StringIO()
        with _within(SECONDS), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _inside(directory):
            try:
                wrong = _status(target.attempts[case.attempt](file, directory), err)
            except InputError as error:
                wrong = _line(str(error))
            except HangError as hang:
                wrong = f"no answer in {SECONDS:g} s, in {_where(hang)}"
            except (Exception, SystemExit) as error:
                wrong = f"raised {type(error).__name__} in {_where(error)}: {str(error)[:200]}"
        growth = _peak() - before
    if not wrong and growth > GROWTH:
        wrong = f"{growth >> 20} MB of memory"
    return wrong


def _status(status: int | None, err: io.StringIO) -> str:
    text = err.getvalue()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("warning:")]
    if "Traceback" in text:
        return "a traceback on standard error"
    if status not in (0, 1, 2, None):
        return f"exit status {status}"
    errors = [line for line in lines if line.startswith("mpcheck: error: ")]
    if status == 2 and len(errors) != 1 and "NOTHING JUDGED" not in text and lines:
        return f"{len(errors)} error lines"
    return f"{len(lines)} lines on standard error" if len(lines) > MOST_LINES else next(filter(None, map(_line, errors)), "")


def _line(text: str) -> str:
    if "\n" in text:
        return "an error of several lines"
    return f"an error of {len(text)} characters" if len(text) > LONGEST else ""


def _where(error: BaseException) -> str:
    """The innermost frame in the package, or else the innermost."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f"{os.sep}mpcheck{os.sep}" in f.filename]
    frame = (own or frames)[-1]
    return f"{Path(frame.filename).name} {frame.name}"


@contextlib.contextmanager
def _inside(directory: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    def late(number: int, frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    return 0


def _peak_reset() -> int:
    """The process' resident memory now, from where its peak is counted."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _memory("VmRSS")


def _peak() -> int:
    return _memory("VmHWM")
