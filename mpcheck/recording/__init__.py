"""Record what somebody's own script gives a model, so that real trajectories are judged.

    import mpcheck

    with mpcheck.capture(calculator, "md.capture", every=100):
        dynamics.run(1000)

Then ``mpcheck run my.model --system md.capture`` judges every block on those graphs, with the edges and shifts that the script made.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mpcheck._errors import InputError, error_line
from mpcheck._files.io import atomic_path, refuse_irregular, refuse_unwritable
from mpcheck._text import say
from mpcheck.recording.calls import Recorder
from mpcheck.recording.file import described, write
from mpcheck.recording.hooks import hooked, unwrapped
from mpcheck.systems.recorded import SUFFIX

__all__ = ["Recorder", "capture"]

_BUSY: set[int] = set()
_LOCK = threading.Lock()


@contextlib.contextmanager
def capture(model: Any, path: str | Path, every: int = 1, limit: int = 20, most_bytes: int = 256 << 20) -> Iterator[Recorder]:
    """Store graphs that a model is given while the block runs, and what its blocks are given, as a system for ``mpcheck run``.

    Nothing of the model, its numbers or its gradients is changed; what cannot be recorded never ends the script, and is told at the end. The
    file is written when the block is left, also where that is by an exception.

    Args:
        model: a MACE model, plain, converted, compiled or wrapped, or a calculator with ``models``: of a committee the first, for all are given
            the same graph.
        path: of the file, ``NAME.capture``; one that is there is replaced.
        every: the first call is stored, and then every so many. limit: calls that are stored at most.
        most_bytes: of tensors that are stored at most; they are held in memory until the end.

    Raises:
        InputError: no MACE model, a scripted one or one compiled in place, which take no hooks, a model that is being recorded already, a name
            without that ending, a place that cannot be written, or nothing was recorded.
    """
    target = _target(path)
    for name, value in (("every", every), ("limit", limit), ("most_bytes", most_bytes)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InputError(f"capture: {name}={value!r}; give a whole number from 1")
    called, inner = unwrapped(model)
    about = described(inner)
    with _only(inner):
        recorder = Recorder(inner, every, limit, most_bytes)
        try:
            with hooked(called, inner, recorder):
                yield recorder
        except BaseException:
            with contextlib.suppress(InputError):  # theirs is the error to be seen
                _finish(recorder, target, about)
            raise
        _finish(recorder, target, about)


def _target(path: str | Path) -> Path:
    refuse_unwritable(str(path), "capture")
    target = Path(path)
    if target.suffix.lower() != SUFFIX:
        raise InputError(f"capture {target}: a file of recorded calls is called NAME{SUFFIX}; name it {target.stem or 'calls'}{SUFFIX}")
    refuse_irregular(target, "capture")
    with contextlib.suppress(_Tried), atomic_path(target):
        raise _Tried  # before a day of dynamics, not after it
    return target


class _Tried(Exception):  # noqa: N818 - leaves a place as it was
    """A place can be written."""


@contextlib.contextmanager
def _only(model: torch.nn.Module) -> Iterator[None]:
    with _LOCK:
        if id(model) in _BUSY:
            raise InputError("capture: this model is being recorded already; leave the first `with mpcheck.capture` before the next")
        _BUSY.add(id(model))
    try:
        yield
    finally:
        with _LOCK:
            _BUSY.discard(id(model))


def _finish(recorder: Recorder, target: Path, about: Any) -> None:
    """Write the file, and say what could not be recorded."""
    if not recorder.stored:
        why = recorder.problem or ("the model was not called" if not recorder.seen else "no call came to its end")
        raise InputError(f"capture {target}: nothing was recorded and nothing is written: {why}")
    try:
        write(target, recorder, about)
    except OSError as error:
        raise InputError(f"capture {target}: cannot be written: {error_line(error)}") from error
    if recorder.problem:
        say(f"mpcheck: capture {target}: {recorder.lost} of {recorder.seen} calls could not be recorded: {recorder.problem}", error=True)
