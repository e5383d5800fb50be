"""The one vocabulary of verdicts: what a record concluded, in which order verdicts are told, and which of them are red."""

from __future__ import annotations

from typing import Literal, get_args

Verdict = Literal["pass", "fail", "degraded", "unsupported", "indistinguishable", "inconclusive", "known-fault", "no-baseline", "removed"]
"""pass and fail are verdicts; unsupported: cannot run here; degraded: the asked-for kernel did not run; indistinguishable: a
positive control in which right and wrong coincide; inconclusive: the reference is degenerate, so that the check refuses to
conclude; known-fault: upstream's fault, recorded in the data file of known faults; no-baseline: nothing stored to compare with; removed:
stored, but no longer there."""
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""In the order in which counts are told."""
MISSING = "missing"
"""Verdict of work without a record."""
WORST_FIRST: tuple[Verdict, ...] = (
    "fail", "degraded", "known-fault", "removed", "inconclusive", "no-baseline", "pass", "indistinguishable", "unsupported",
)  # fmt: skip
"""In the order in which a reader must see one of several."""
ON_A_PAGE = (
    "fail", MISSING, "pass", "degraded", "known-fault", "inconclusive", "no-baseline", "removed", "indistinguishable", "unsupported",
)  # fmt: skip
"""In the order in which a page counts them: what judged, then what did not."""
NOT_RUN: tuple[Verdict, ...] = ("unsupported", "degraded")
"""What was asked for did not run."""
CONCLUDED: tuple[Verdict, ...] = ("pass", "fail", "known-fault", "degraded")
"""The judged code ran, and was judged."""


def red(verdict: str, tolerated: str = "") -> bool:
    """Whether a record of this verdict turns its session red. One that another implementation than the asked-for one computed does, unless
    the user named it (``--allow-degraded``).
    """
    return verdict in ("fail", MISSING) or (verdict == "degraded" and not tolerated)
