"""Where references are made faster: on the device, or on its host."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from mpcheck._names import DEVICE, HOST
from mpcheck._raised import Raised, attempt
from mpcheck.reference.place import place_of
from mpcheck.sessions.run import Options, Session
from mpcheck.survey.found import Finding, write_found

MODEL, SYSTEM = "builtin:hco", "builtin:water"
BLOCKS = ("interactions.1.linear", "interactions.1.conv_tp", "interactions.1.scatter", "products.0.symmetric_contractions")
"""One of each kind: a product of matrices, a tensor product of every edge, a sum, a polynomial of every atom."""
CLEARLY = 1.5
"""How many times longer the chosen place must take to be called the wrong one: one run of each is timed."""


def main(words: Sequence[str]) -> int:
    """``DEVICE OUT``: leave what was found in ``OUT``; 0."""
    device, out = words
    write_found(Path(out), list(findings(device)))
    return 0


def findings(device: str) -> Iterator[Finding]:
    """One for each block, and one that says whether the place that is chosen is the faster one."""
    where = torch.device(device)
    if where.type == "cpu":
        yield Finding(name="references", verdict="unsupported", reason="a CPU is its own host")
        return
    chosen, total = (HOST if place_of(where).type == "cpu" else DEVICE), {HOST: 0.0, DEVICE: 0.0}
    with tempfile.TemporaryDirectory() as cache:
        sessions = {place: opened(device, place, Path(cache) / place) for place in (HOST, DEVICE)}
        for name in BLOCKS:
            told = attempt(lambda name=name: {place: seconds(session, name) for place, session in sessions.items()})  # type: ignore[misc]
            if isinstance(told, Raised):
                yield Finding(name=f"reference of {name}", verdict="fail", reason=f"raised {told.text}")
                return
            total = {place: total[place] + told[place] for place in total}
            reason = f"{told[DEVICE]:.2f} s on the device, {told[HOST]:.2f} s on its host"
            yield Finding(name=f"reference of {name}", verdict="pass", reason=reason, figures={f"{place} s": s for place, s in told.items()})
    other = DEVICE if chosen == HOST else HOST
    wrong = total[chosen] > CLEARLY * total[other]
    reason = f"made on the {chosen}: {total[chosen]:.2f} s; {total[other]:.2f} s on the {other}"
    yield Finding(name="references", verdict="degraded" if wrong else "pass", reason=f"{reason}; choose --references {other}" if wrong else reason)


def opened(device: str, place: str, cache: Path) -> Session:
    """A session that makes its references in one place, with the model's blocks captured: that is part of no block's time."""
    session = Session(Options(model=MODEL, systems=(SYSTEM,), device=device, references=place, cache=cache, blocks=BLOCKS))
    session.library(SYSTEM).blocks()
    return session


def seconds(session: Session, name: str) -> float:
    """That one block's reference takes to be made and read back."""
    began = time.perf_counter()
    session.library(SYSTEM).get(name)
    return time.perf_counter() - began
