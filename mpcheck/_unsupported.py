"""Why something cannot run here, as fields: what programs decide by, and a text for people."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, get_args

Code = Literal[
    "no-device",  # the device that was asked for is not there
    "not-installed",  # a package that the backend needs
    "no-conversion",  # the backend's converter cannot do this model
    "no-kernel",  # the backend has nothing for this block, or says no more
    "no-operation",  # torch or upstream lacks an operation in the format
    "out-of-range",  # values that the format cannot hold
    "no-gradient",  # nothing depends on a floating-point input
    "empty",  # no element on this system
    "no-reference",  # the block's arguments cannot be stored
    "no-memory",  # more than the machine has
    "no-counter",  # what would measure it cannot
    "known-limit",  # upstream's, in the data file of limits
    "not-applicable",  # it does not exist here: a step inside a fused one, a property that the model lacks
    "substituted",  # something else than was asked for would run
    "raised",  # upstream's code went wrong: a failure, not a missing capability
]
CODES = frozenset(get_args(Code))
BACKENDS_OWN = frozenset({"not-installed", "no-conversion", "no-kernel", "substituted"})
"""What is for want of the backend."""
CUDA, BASELINE = "cuda", "baseline"
"""What can be required besides backends and what these say that they may lack."""


@dataclass(frozen=True)
class Unsupported:
    """Why something cannot run here.

    Attributes:
        code: the kind of reason. text: for people.
        lacking: the capability that is missing, ``cuda``, or a backend's name; empty where it is none that can be required.
    """

    code: Code
    text: str
    lacking: str = ""

    def __str__(self) -> str:
        return self.text

    def fields(self) -> dict[str, str]:
        """As data that :meth:`of` reads."""
        return {"code": self.code, "text": self.text, "lacking": self.lacking}

    @classmethod
    def of(cls, fields: object) -> Unsupported:
        """From data of another process.

        Raises:
            ValueError: it is no such data.
        """
        if not isinstance(fields, dict) or set(fields) != {"code", "text", "lacking"} or fields["code"] not in CODES:
            raise ValueError(f"no reason: {fields!r}")
        return cls(fields["code"], str(fields["text"]), str(fields["lacking"]))


def no_device(text: str = "no CUDA device") -> Unsupported:
    """The device is not there."""
    return Unsupported("no-device", text, CUDA)


def of_backend(name: str, why: Unsupported | str, code: Code) -> Unsupported:
    """A backend's own reason. One that it gives as bare text is taken for want of the backend, so that who requires it is told."""
    reason = why if isinstance(why, Unsupported) else Unsupported(code, str(why))
    return Unsupported(reason.code, reason.text, name) if reason.code in BACKENDS_OWN and not reason.lacking else reason


def tolerated(allowed: Collection[str], backend: str, block: str) -> str:
    """The setting that lets a backend, or a backend's block, be computed by something else; empty where none does."""
    return next((f"--allow-degraded {a}" for a in allowed if fnmatchcase(backend, a) or fnmatchcase(f"{backend}:{block}", a)), "")
