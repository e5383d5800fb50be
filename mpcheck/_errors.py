"""The one exception for input that the user can mend."""

from __future__ import annotations


class InputError(Exception):
    """Bad input: a missing, truncated or mistyped file, an unknown name, a wrong device, NaN.

    The message is one line that names the file or field and the remedy. Front ends (CLI, pytest plugin) print it without
    a traceback and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))
