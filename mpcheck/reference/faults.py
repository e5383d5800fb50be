"""What is wrong with a reference itself: never repaired in silence, always told with the block that it is of."""

from __future__ import annotations

from mpcheck._text import one_line


class ReferenceFaultError(Exception):
    """A reference that nothing can be judged by.

    Attributes:
        block: that it is of.
    """

    def __init__(self, block: str, text: str) -> None:
        super().__init__(one_line(text))
        self.block = block


class NoReferenceError(ReferenceFaultError):
    """What is judged is judged against another code's references, and these lack the block; its own would prove nothing."""

    def __init__(self, entry: str, code: str, why: str) -> None:
        self.entry = entry
        block = entry.removesuffix(".reference").removesuffix(".inputs").partition(".rounded.")[0]
        made = f"made by base (code {code[:12]})" if code else "of base, which came to no verdict"
        super().__init__(
            block,
            f"no reference {made} of {entry} on this system: {why}. Head is not judged against itself; "
            'where base cannot have it, the workflow may set reference = "own"',
        )


class UnsteadyError(ReferenceFaultError):
    """Float64 values that were computed twice from the same arguments and differ: no truth to judge anything by."""
