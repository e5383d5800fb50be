"""Which blocks are to blame where a policy errs by more than predicted: blocks are put back to float64 until the error is what it should be.

Each culprit costs about log2(blocks) measurements: with the blocks up to some place restored the error is small, with one fewer it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mpcheck._errors import InputError
from mpcheck.formats import FLOAT64
from mpcheck.policy.families import literal
from mpcheck.policy.rules import Policy, Rule

MOST = 4
"""Blocks that are named before it is said that there are more."""


@dataclass(frozen=True)
class Blame:
    """What was found.

    Attributes:
        blocks: to blame, the first found first; empty where none is. measured: error of the policy; after: with those blocks in float64; rest: with
            every block in float64. limit: what the error should be at most. complete: whether ``after`` is within it. measurements: that it took.
        unit: of the errors, with a blank before it.
    """

    blocks: tuple[str, ...]
    measured: float
    after: float
    rest: float
    limit: float
    complete: bool
    measurements: int
    unit: str = ""

    @property
    def text(self) -> str:
        """In words, for people."""
        if self.measured <= self.limit:
            return f"the error, {self.measured:.3g}, is within {self.limit:.3g}: no block is to blame"
        if not self.blocks:
            return (
                f"the error is still {self.rest:.3g} with every block in float64, and should be {self.limit:.3g}: "
                "what lies between the blocks is to blame, or what is wrong in float64 as well"
            )
        named = ", ".join(self.blocks)
        more = "" if self.complete else "; more blocks are"
        verb = "is" if len(self.blocks) == 1 else "are"
        return f"{named} {verb} to blame: in float64 there, the error falls from {self.measured:.3g} to {self.after:.3g}{self.unit}{more}"


def restored(policy: Policy, blocks: Sequence[str]) -> Policy:
    """A policy with some blocks in float64.

    Args:
        blocks: paths of leaves.

    Raises:
        InputError: autocast, which has no rules.
    """
    if policy.autocast:
        raise InputError(f"policy {policy.name}: autocast decides by itself what is cast; no block of it can be put back to float64")
    if not blocks:
        return policy
    rule = Rule(blocks=[literal(b) for b in blocks], compute=FLOAT64.name)  # type: ignore[arg-type]  # it is its name
    return policy.model_copy(update={"rules": [*policy.rules, rule]})


def blamed(policy: Policy, blocks: Sequence[str], measure: Callable[[Policy], float], limit: float) -> Blame:
    """The blocks that make a policy err by more than it should.

    Args:
        blocks: paths of the leaves that may be, in the model's order. measure: error of a policy, of any kind; NaN is taken for infinite.
        limit: what the error should be at most.

    Raises:
        InputError: autocast. BaseException: whatever ``measure`` raises.
    """
    search = _Search(policy, measure, limit)
    measured = search.error(())
    if search.within(measured):
        return Blame((), measured, measured, measured, limit, True, search.count)
    rest = search.error(blocks)
    if not search.within(rest):
        return Blame((), measured, rest, rest, limit, False, search.count)
    found: list[str] = []
    suspects, after = list(blocks), measured
    while not search.within(after) and len(found) < MOST and suspects:
        place = search.first_enough(found, suspects)
        found.append(suspects[place])
        suspects = suspects[:place]  # with these and what is found it is enough
        after = search.error(found)
    return Blame(tuple(found), measured, after, rest, limit, search.within(after), search.count)


class _Search:
    """Measurements with blocks restored, each made once."""

    def __init__(self, policy: Policy, measure: Callable[[Policy], float], limit: float) -> None:
        self.policy, self.measure, self.limit = policy, measure, limit
        self.known: dict[frozenset[str], float] = {}

    @property
    def count(self) -> int:
        return len(self.known)

    def within(self, error: float) -> bool:
        return error <= self.limit

    def error(self, blocks: Sequence[str]) -> float:
        key = frozenset(blocks)
        if key not in self.known:
            error = self.measure(restored(self.policy, list(blocks)))
            self.known[key] = error if error == error else float("inf")
        return self.known[key]

    def first_enough(self, found: Sequence[str], suspects: Sequence[str]) -> int:
        """The place up to which suspects have to be restored, beside what is found; all of them are enough."""
        low, high = 0, len(suspects) - 1
        while low < high:
            middle = (low + high) // 2
            if self.within(self.error([*found, *suspects[: middle + 1]])):
                high = middle
            else:
                low = middle + 1
        return low
