"""The one exception for input that the user can mend, and what to tell of everybody else's."""

from __future__ import annotations

from mpcheck._text import whole


class InputError(Exception):
    """Bad input: a missing, truncated or mistyped file, an unknown name, a wrong device, NaN.

    The message is one line that names the file or field and the remedy, and holds nothing unseen, whatever names it repeats. Front
    ends (CLI, pytest plugin) print it without a traceback and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(whole(" ".join(str(message).split())))


def error_line(error: Exception) -> str:
    """Type and last line of what upstream raised: TorchScript puts its own traceback before what went wrong."""
    kind = type(error).__name__
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return f"{kind}: {whole(' '.join(lines[-1].split())).removeprefix(f'{kind}: ')[:300]}"


def unimplemented(error: Exception) -> bool:
    """Whether upstream has no such operation in a type or on a device, as against one that went wrong."""
    return isinstance(error, NotImplementedError) or "not implemented for" in str(error)
