"""The one exception for input that the user can mend, and what to tell of everybody else's."""

from __future__ import annotations

LONGEST = 1200
"""Characters of a line of error; from a longer one the middle is left out, since file and field stand first and the remedy last."""


class InputError(Exception):
    """Bad input: a missing, truncated or mistyped file, an unknown name, a wrong device, NaN.

    The message is one line that names the file or field and the remedy. Front ends (CLI, pytest plugin) print it without
    a traceback and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(str(message).split())
        if len(line) > LONGEST:  # what a file holds may be quoted in it, of any length
            line = f"{line[: LONGEST * 3 // 4]} … {line[-LONGEST // 4 :]}"
        super().__init__(line)


def error_line(error: Exception) -> str:
    """Type and last line of what upstream raised: TorchScript puts its own traceback before what went wrong."""
    kind = type(error).__name__
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return f"{kind}: {' '.join(lines[-1].split()).removeprefix(f'{kind}: ')[:300]}"


def unimplemented(error: Exception) -> bool:
    """Whether upstream has no such operation in a type or on a device, as against one that went wrong."""
    return isinstance(error, NotImplementedError) or "not implemented for" in str(error)
