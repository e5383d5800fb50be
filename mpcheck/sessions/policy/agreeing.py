"""Whether a variant (compiled, scripted, captured) gives what the policy gives as it is, on an odd and on an even number of atoms.

A compiled reduction has been seen to add a constant where a dimension is odd (pytorch issue 178871): faster, and wrong by an offset.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mpcheck._raised import Raised, attempt
from mpcheck._text import listed
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.formats import get_format
from mpcheck.policy.assignment import assigned
from mpcheck.policy.evaluation import Tensors
from mpcheck.policy.judging.batches import graph_of
from mpcheck.policy.rules import Policy
from mpcheck.policy.speed.agreement import Noise, both_parities, compared, rounding
from mpcheck.policy.speed.candidates import Candidate, model_of
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.policy.study import Study

AGREES = "agrees"


def records(study: Study, policies: dict[str, Policy], variants: tuple[str, ...], planned: Planned) -> Iterator[Record]:
    """A record for each policy, backend and variant that can be had here.

    Raises:
        InputError: unknown policy or backend.
    """
    if not variants:
        return
    session = study.session
    graphs = [graph_of([frame], session.model)[0] for frame in both_parities(study.sets.frames[0])]
    noise = rounding(session.reference_backend.model, graphs[0], session.seed)
    for backend in session.backend_names:
        for name, policy in policies.items():
            for variant in variants:
                about = {**planned.about, "subject": name, "backend": backend, "variant": f"{variant}-{AGREES}"}
                roundoff = _roundoff(study, policy)
                ways = [Candidate(name, backend), Candidate(name, backend, variant)]  # type: ignore[arg-type]  # it was parsed
                found = attempt(lambda w=ways, u=roundoff: _told(study, w, graphs, noise, u))  # type: ignore[misc]  # a loop's variables, bound
                if isinstance(found, Raised):
                    missing = isinstance(found.error, UnsupportedError) and found.error.why.code != "raised"
                    reason = str(found.error) if missing else f"raised {found.text}"
                    yield Record(**about, verdict="unsupported" if missing else "fail", reason=reason)
                    continue
                yield Record(**about, verdict="fail" if found else "pass", reason=listed(found, 2))


def _told(study: Study, ways: list[Candidate], graphs: Sequence[Tensors], noise: Noise, roundoff: float) -> list[str]:
    plain, other = (model_of(study.session, way) for way in ways)
    return compared(plain, other, graphs, noise, roundoff, study.session.device)


def _roundoff(study: Study, policy: Policy) -> float:
    """Of the coarsest format that a policy computes in."""
    formats = [policy.autocast or policy.base, *(f.compute for f in assigned(policy, study.calls.blocks).values())]
    return max(get_format(name).u for name in formats)
