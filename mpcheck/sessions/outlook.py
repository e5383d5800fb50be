"""What a run will cost, told before it begins: references that are not in the cache yet take most of a first run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mpcheck._errors import InputError
from mpcheck._memory import size_of, told
from mpcheck._text import counted, duration
from mpcheck._torch_state import neutral
from mpcheck.formats import Format
from mpcheck.reference.store import default_cache
from mpcheck.sessions.run import Session

DRAWS_OF = 85.0
"""Calls that a reference takes, as told from whole ones on a CPU: 84 of the built-in model on water, 86 and 80 of one of 128 channels on water
and on 216 atoms of diamond."""
EACH = 0.1
"""Seconds of a reference beside its calls."""
BYTES = 27.0
"""Of a number of a reference: 12 where little of it rounds, 23 to 35 in most blocks. In a format of 16 bits, besides, 6."""
BYTES_OF_FORMAT = 6.0
WORTH_TELLING = 5.0
"""Seconds."""


@dataclass(frozen=True)
class Outlook:
    """What is to be made before cells can be judged.

    Attributes:
        blocks: how many references. seconds, size: that they take, in bytes; both to a factor of two.
    """

    blocks: int
    seconds: float
    size: float

    @property
    def text(self) -> str:
        """In words; nothing where it is not worth telling."""
        if not self.blocks or self.seconds < WORTH_TELLING:
            return ""
        return f"references of {counted(self.blocks, 'block')} are to be made: about {duration(self.seconds)} and {told(self.size)} in the cache"


@neutral()
def outlook(session: Session, wanted: Mapping[str, Sequence[str]], formats: Sequence[Format]) -> Outlook:
    """What the references of some blocks take.

    Args:
        wanted: names of blocks by system.
    """
    own = BYTES + BYTES_OF_FORMAT * sum(f.accumulation == "wide" and f.operand_bits is None for f in formats)
    costs = [session.library(system).cost(name) for system, names in wanted.items() for name in names]
    missing = [(seconds, numbers) for seconds, numbers in costs if numbers]
    seconds = sum(EACH + DRAWS_OF * seconds for seconds, _ in missing)
    return Outlook(len(missing), seconds, own * sum(numbers for _, numbers in missing))


def require_cache(session: Session, expected: Outlook) -> None:
    """Refuse a run whose references do not fit where they are kept.

    Raises:
        InputError: what they take, what there is, and what to do.
    """
    place, limit = session.options.cache or default_cache(), session.options.cache_limit
    there = float(size_of(limit, "--cache-limit")) if limit else float(shutil.disk_usage(place).free)
    if expected.size > there:
        raise InputError(
            f"cache {place}: references of {counted(expected.blocks, 'block')} take about {told(expected.size)}, and {told(there)} are to be had; "
            f"give another place with --cache DIR, fewer blocks with --block, a smaller structure, or prune it: mpcheck cache prune"
        )
