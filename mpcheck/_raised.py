"""What foreign code raised, whatever it was: the one place that catches it, and what is told of it.

Code that is judged may raise anything: a ``KeyError`` of a table of types, a ``SystemExit``, pytest's own ``Skipped``. All of it is a fault
of that code, and each becomes a red record; only the user's Ctrl-C ends a run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

from mpcheck._errors import InputError, error_line, unimplemented

T = TypeVar("T")
OWN = frozenset({"mpcheck", "torch", "numpy", "_pytest", "pytest", "pluggy", "xdist", "execnet", *sys.stdlib_module_names})
"""Packages whose frames do not tell where a fault of the judged code is."""
ENDS = (KeyboardInterrupt, GeneratorExit)


@dataclass(frozen=True)
class Raised:
    """What a call raised.

    Attributes:
        line: type and last line of the message. place: ``CLASS.FUNCTION`` of the innermost frame of the judged code; may be empty.
        missing: whether torch or a kernel library has no such operation in a type or on a device, as against one that went wrong.
    """

    error: BaseException
    line: str
    place: str
    missing: bool

    @property
    def of_torch(self) -> bool:
        """Whether torch refused to bring types or shapes together, as against a fault of any other kind."""
        return self.missing or type(self.error) is RuntimeError

    @property
    def text(self) -> str:
        """``KeyError: 'bfloat16' in BesselBasis.forward``."""
        return f"{self.line} in {self.place}" if self.place else self.line


def attempt(call: Callable[[], T]) -> T | Raised:
    """A call's result, or what it raised."""
    try:
        return call()
    except ENDS:
        raise
    except BaseException as error:  # SystemExit and pytest's outcomes are no Exceptions
        return raised(error)


def raised(error: BaseException) -> Raised:
    """What is told of an error that was caught."""
    return Raised(error, error_line(error), place_of(error), unimplemented(error))


def frames(error: BaseException) -> Iterator[FrameType]:
    """Frames of a traceback, innermost first; of an error that was raised from another one, the other's come first."""
    seen: set[int] = set()
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        chain.append(link)
        link = link.__cause__
    for one in reversed(chain):
        stack, trace = [], one.__traceback__
        while trace is not None:
            stack.append(trace.tb_frame)
            trace = trace.tb_next
        yield from reversed(stack)


def place_of(error: BaseException) -> str:
    """``CLASS.FUNCTION`` of the innermost frame of the judged code; of TorchScript, which has no frames, the class that was scripted."""
    called = ""
    for frame in frames(error):
        owner = frame.f_locals.get("self")
        if _is_module(owner) and (scripted := getattr(owner, "original_name", "")):
            return f"{scripted}.forward"
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] not in OWN:
            return f"{type(owner).__name__}.{frame.f_code.co_name}" if _is_module(owner) else _qualified(frame)
        if not called and _is_module(owner) and frame.f_code.co_name in ("_call_impl", "forward"):
            called = f"{type(owner).__name__}.forward"
    return called


def _is_module(owner: Any) -> bool:
    return callable(getattr(type(owner), "named_modules", None))  # not by isinstance: readers of records have no torch


def _qualified(frame: FrameType) -> str:
    name = str(getattr(frame.f_code, "co_qualname", frame.f_code.co_name))  # Python 3.11
    return name.rpartition("<locals>.")[2]


def blamed(error: BaseException, names: Mapping[int, str]) -> str:
    """The innermost submodule in whose call it was raised; empty where it was in none.

    Args:
        names: of submodules by the ``id`` of the module.
    """
    for frame in frames(error):
        name = names.get(id(frame.f_locals.get("self")))
        if name is not None:
            return name
    return ""


def outermost(error: BaseException) -> Any:
    """The outermost module in whose call it was raised: the whole model, or a copy of it; None where it was raised in none."""
    owners = [owner for frame in frames(error) if _is_module(owner := frame.f_locals.get("self"))]
    return owners[-1] if owners else None


def attempt_unless_refused(call: Callable[[], T]) -> T | Raised:
    """A call's result, or what the judged code raised in it.

    Raises:
        InputError: bad input, which is the user's to fix and no fault of the code.
    """
    result = attempt(call)
    if isinstance(result, Raised) and isinstance(result.error, InputError):
        raise result.error
    return result


def evaluated(call: Callable[[], T], model: str) -> T:
    """A call's result, for commands that judge nothing: what the model's code raises is one line for the user, who names the model.

    Raises:
        InputError: bad input, or what the model raised.
    """
    result = attempt_unless_refused(call)
    if not isinstance(result, Raised):
        return result
    raise InputError(f"the model {model} cannot be evaluated: {result.text}; check that upstream's calculator runs it") from result.error
