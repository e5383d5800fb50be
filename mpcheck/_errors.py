"""The one exception for input that the user can fix, and what to tell of everybody else's."""

from __future__ import annotations

import re

from mpcheck._packages import modules
from mpcheck._text import one_line, shortened

LONGEST = 1200
"""Characters of a line of error; from a longer one the middle is left out, since file and field stand first and the remedy last."""


PREFIX = "mpcheck: error: "
"""What the one line of every refusal begins with; whatever starts mpcheck finds the line by it."""


class InputError(Exception):
    """Bad input: a missing, truncated or mistyped file, an unknown name, a wrong device, NaN.

    The message is one line that names the file or field and the remedy, and holds nothing unseen, whatever names it repeats. Front
    ends (CLI, pytest plugin) print it without a traceback and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        line = one_line(message)
        if len(line) > LONGEST:  # what a file holds may be quoted in it, of any length
            line = f"{line[: LONGEST * 3 // 4]} … {line[-LONGEST // 4 :]}"
        super().__init__(line)


_ERROR = re.compile(r"\s*[\w.]*(Error|Exception): ")


def error_line(error: BaseException) -> str:
    """Type and last line of what upstream raised: TorchScript puts its own traceback before what went wrong.

    What it cannot compile it tells first, and then shows the code.
    """
    kind = type(error).__name__
    try:
        text = str(error)
    except Exception:  # of an exception class of the judged code
        text = "(its message cannot be read)"
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    compiling = any(line.rstrip().endswith("<--- HERE") for line in lines) and not _ERROR.match(lines[-1])
    said = shortened(lines[0 if compiling else -1].strip().removeprefix(f"{kind}: "), 300)
    return f"{kind}: {said}" if said else kind


MISSING = ("not implemented for '", "Could not run 'aten::", "is not currently implemented for the", "this code only runs on float64 and float32")
"""How torch, and sphericart in the last one, say that they have no such operation in a type or on a device."""
KERNELS = modules("kernels", "compiled", "compiler")
"""Kernel libraries: their ``NotImplementedError`` says what they are not made for. One of a model's own code is a fault."""


def unimplemented(error: BaseException) -> bool:
    """Whether torch or a kernel library has no such operation in a type or on a device, as against one that went wrong."""
    if not isinstance(error, (NotImplementedError, RuntimeError)):
        return False
    if any(said in str(error) for said in MISSING):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    innermost = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] if trace is not None else ""
    return isinstance(error, NotImplementedError) and innermost in KERNELS
