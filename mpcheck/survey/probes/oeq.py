"""OpenEquivariance: whether it loads here, and how its model of the built-in one differs from e3nn's. No backend judges it yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._torch_state import neutral
from mpcheck.adapters.backends.conversion import loads_oeq, to_oeq
from mpcheck.policy.evaluation import evaluate
from mpcheck.sessions.run import Options, Session
from mpcheck.survey.found import Finding, write_found

MODEL, SYSTEM, NAME = "builtin:hco", "builtin:water", "openequivariance"


def main(words: Sequence[str]) -> int:
    """``DEVICE OUT``: leave what was found in ``OUT``; 0."""
    device, out = words
    write_found(Path(out), list(findings(device)))
    return 0


def findings(device: str) -> Iterator[Finding]:
    """One: it does not load, or its figures."""
    done = attempt(loads_oeq)
    if isinstance(done, Raised):
        yield Finding(name=NAME, verdict="unsupported", reason=f"does not load: {done.text}", lacking=NAME)
        return
    told = attempt(lambda: compared(device))
    yield Finding(name=NAME, verdict="fail", reason=f"raised {told.text}") if isinstance(told, Raised) else told


@neutral()
def compared(device: str) -> Finding:
    """Energy and forces of the converted model against e3nn's, in float64: the largest differences in eV/atom and eV/Å."""
    session = Session(Options(model=MODEL, systems=(SYSTEM,), device=device))
    graph, where = session.graph(SYSTEM), torch.device(device)
    own = evaluate(session.reference_backend.model, graph, where)
    other = evaluate(to_oeq(session.reference_backend.model, where).model, graph, where)
    energy, forces = float(((own.energy - other.energy) / own.atoms).abs().max()), float((own.forces - other.forces).abs().max())
    reason = f"float64: {1e3 * energy:.2g} meV/atom and {1e3 * forces:.2g} meV/Å from e3nn; figures only, no tolerance is computed for it"
    return Finding(name=NAME, verdict="inconclusive", reason=reason, figures={"eV/atom": energy, "eV/Å": forces})
