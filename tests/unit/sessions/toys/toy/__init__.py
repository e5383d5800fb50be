"""A session that somebody might add: whether every block has a name of at least so many letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import Option, Options


@dataclass(frozen=True)
class ToyOptions(Options):
    """What it takes besides.

    Attributes:
        letters: of a name, at least.
    """

    letters: Annotated[int, Option("letters that a block's name has at least", metavar="N", least=1, gate=True, rule="more is stricter")] = 3


SESSION = SessionSpec(
    name="toy",
    title="Whether every block has a name that can be read.",
    order=99,
    options=ToyOptions,
    work="mpcheck.sessions.toy.work:ToyWork",
    checks=("naming",),
    block_checks=("naming",),
)
