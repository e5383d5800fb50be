"""Parts that go wrong, for the rehearsal alone: one raises, one hangs with a process of its own, one leaves more than there is room for."""

from __future__ import annotations

from mpcheck.survey.part import Cost, Part

COST = {"cuda": Cost(3, 8), "cpu": Cost(3, 8), "toy": Cost(3, 8)}


def made(name: str, order: int) -> Part:
    words = (name, "{out}")
    return Part(name=f"rehearsed-{name}", subject="rehearsed", title=name, order=order, cost=COST, module="rehearsed_work", words=words, toy=words)


PARTS = (made("raises", 1), made("hangs", 2), made("floods", 3))
