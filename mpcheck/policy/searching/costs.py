"""What each family of blocks costs in each format: the whole model with that family alone in another format, timed beside the base.

In the whole model a block pays for the casts around it, too, and for what its format does to the backward pass; timed alone it would not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from mpcheck._files.io import write_text
from mpcheck._names import REFERENCE_BACKEND
from mpcheck.formats import F32, Compute
from mpcheck.policy.families import Family, as_yaml, assembled
from mpcheck.policy.searching.search import Costs
from mpcheck.policy.speed.candidates import Candidate
from mpcheck.policy.speed.rounds import RoundPlan
from mpcheck.policy.speed.timing import Timings, Workload, measured


def measured_costs(
    workload: Workload,
    families: Sequence[Family],
    formats: Sequence[Compute],
    base: Compute = F32,
    backend: str = REFERENCE_BACKEND,
    launches: int = 1,
    plan: RoundPlan | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Costs | None:
    """Seconds that each family saves in each format; None where the base itself cannot run.

    Args:
        launches, plan: see :func:`mpcheck.policy.speed.timing.measured`.

    Raises:
        InputError: bad input, or a launch died.
    """
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[Candidate, tuple[Family, Compute] | None] = {}
        for place, (family, fmt) in enumerate([(None, base), *((x, f) for x in families for f in formats if f != base)]):
            path = Path(folder) / f"{place}.yaml"
            write_text(path, as_yaml(assembled(f"cost-{place}", base, {family: fmt} if family else {})))
            ways[Candidate(str(path), backend)] = (family, fmt) if family else None
        timings = measured(workload, list(ways), launches, plan, progress=progress)
    reference = next(iter(ways)).id
    if reference not in timings.seconds:
        return None
    saved: dict[str, dict[Compute, float]] = {}
    for candidate, way in ways.items():
        if way is not None and (seconds := _saved(timings, candidate.id, reference)) is not None:
            saved.setdefault(way[0].name, {})[way[1]] = seconds
    return Costs(base, timings.milliseconds(reference) / 1e3, saved)


def _saved(timings: Timings, candidate: str, base: str) -> float | None:
    """Seconds of a call less than the base's; 0 where the interval of the ratio holds 1, for then nobody knows; None where it did not run."""
    gained = timings.speedup(candidate, base)
    if gained is None:
        return None
    return 0.0 if gained.low <= 1.0 <= gained.high else timings.milliseconds(base) / 1e3 * (1.0 - 1.0 / gained.ratio)
