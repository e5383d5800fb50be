"""The ranges session: how large and small every tensor's numbers are beside each format's range, and on how large a structure they leave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mpcheck._files.kinds import SVG
from mpcheck._names import RANGES
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import Options


@dataclass(frozen=True)
class RangesOptions(Options):
    """What the ranges session takes."""

    sees_all: ClassVar[bool] = True


SESSION = SessionSpec(
    name="ranges",
    title="Does every number of a model fit into a format's range, on larger structures as well? How does each tensor lie in memory?",
    order=25,
    options=RangesOptions,
    without=("backends", "rows", "tolerances", "allow_degraded"),
    work="mpcheck.sessions.ranges.work:RangesWork",
    folder="ranges",
    checks=(RANGES,),
    block_checks=(RANGES,),
    columns=("subject", "variant"),
    shown="mpcheck.sessions.ranges.showing:SHOWING",
    extra=(("ranges-*.svg", SVG),),
)
