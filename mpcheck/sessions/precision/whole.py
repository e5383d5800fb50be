"""The whole model in every format, as its users run it: what it errs by and what it gains, at a glance behind the blocks.

It is judged for what blocks on a sample of their rows cannot show: see :mod:`mpcheck.sessions.precision.outlier`.

``mpcheck policy`` measures this on many structures and in processes of their own; here it is the given structures alone, in this process.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt_unless_refused
from mpcheck._torch_state import neutral
from mpcheck._unsupported import Unsupported
from mpcheck._variants import is_variant
from mpcheck.adapters.backends.protocol import backends, unsupported
from mpcheck.adapters.backends.variant_model import VariantModel
from mpcheck.adapters.blocks import WHOLE
from mpcheck.bench.timing.sampling import typical
from mpcheck.bench.timing.timers import choose_timer
from mpcheck.checks.physics.structure import rms
from mpcheck.formats import FLOAT64, Format
from mpcheck.policy.evaluation import Evaluation, evaluate
from mpcheck.policy.judging.metrics import GPA, MILLI
from mpcheck.policy.rules import Policy
from mpcheck.policy.running.applied import PolicyModel, apply
from mpcheck.policy.speed.candidates import FORCES, emulated
from mpcheck.policy.speed.rounds import RoundPlan, interleaved
from mpcheck.policy.speed.speedup import speedup
from mpcheck.policy.speed.variants import moved
from mpcheck.records.policy_figures import WholeModel
from mpcheck.records.record import Planned, Record
from mpcheck.reference.cut import Graph
from mpcheck.sessions.precision.outlier import MOST, Orders, Outlier
from mpcheck.sessions.precision.variant import Structure, compiled, disagreement, refusal, running, structures
from mpcheck.sessions.room import fits, part_of
from mpcheck.sessions.run import Session

SECONDS = 2.0
"""Of timed calls, all formats and backends together."""


@neutral()
def whole_records(session: Session, planned: Planned) -> list[Record]:
    """A record for each backend and format.

    Raises:
        BaseException: what the float64 model raises.
    """
    system, note = planned.system, ""
    graph: Graph = session.graph(system)
    periodic = torch.tensor([bool(f.pbc.all()) for f in session.systems[system].frames])
    if not fits(session, system):
        graph, periodic = part_of(session, system), torch.zeros_like(periodic)  # the stress of a part says nothing
        note = f"a part of it with {len(graph['positions']):,} atoms, since all of it does not fit into memory"
    exact = evaluate(session.reference_backend.model, graph, session.reference_backend.device, periodic)
    orders = Orders(graph, session.seed)
    told = evaluate(session.reference_backend.model, orders.graphs[0], session.reference_backend.device, periodic)
    made: dict[tuple[str, str], PolicyModel] = {}
    known: list[Structure] = []  # for variants
    records: dict[tuple[str, str], Record] = {}
    for backend in session.backend_names:
        for fmt in session.formats:
            about = {**planned.about, "backend": backend, "format": fmt.name, "note": note}
            model = attempt_unless_refused(lambda backend=backend, fmt=fmt: model_in(session, backend, fmt))  # type: ignore[misc]  # bound
            if isinstance(model, Unsupported):
                records[backend, fmt.name] = Record(**about, verdict="unsupported", reason=model.text, lacking=model.lacking)
                continue
            found = model if isinstance(model, Raised) else attempt_unless_refused(lambda m=model: evaluate(m, graph, session.device, periodic))  # type: ignore[misc]
            if isinstance(found, Raised):
                records[backend, fmt.name] = _raised(about, found, is_variant(backend, backends()))
                continue
            assert isinstance(model, PolicyModel)  # it was evaluated
            if is_variant(backend, backends()):
                known = known or structures(session, system, graph, periodic)
                records[backend, fmt.name] = _in_variant(about, session, fmt, model, found, known)
                continue
            made[backend, fmt.name] = model
            again = attempt_unless_refused(lambda m=model: [evaluate(m, other, session.device, periodic) for other in orders.graphs])  # type: ignore[misc]
            if isinstance(again, Raised):
                records[backend, fmt.name] = Record(**about, verdict="fail", reason=f"with its atoms moved, or in another order: raised {again.text}")
                continue
            records[backend, fmt.name] = _judged(about, fmt, found, exact, _fault(fmt, again, orders.worst(told, again, fmt)))
    _timed(session, made, records, graph)
    return list(records.values())


def model_in(session: Session, backend: str, fmt: Format) -> PolicyModel | Unsupported:
    """The session's model on a backend, all of it in a format."""
    built: Any = session.backend(backend)
    if isinstance(built, Unsupported):
        return built
    if why := unsupported(built, WHOLE, fmt):
        return why
    policy = Policy.model_validate({"name": fmt.name, "base": fmt.name, "energies": "together"})
    if not isinstance(built, VariantModel):
        return apply(built.model, policy, session.device, session.model.module)
    return running(apply(built.model, policy, session.device, session.model.module), built, session.device)


def _raised(about: dict[str, Any], told: Raised, variant: bool) -> Record:
    """What a model that raised is; a compiler may say that it cannot do something."""
    if variant and (why := refusal(about["backend"], told)) is not None:
        return Record(**about, verdict="unsupported", reason=why.text, lacking=why.lacking)
    return Record(**about, verdict="unsupported" if told.missing else "fail", reason=f"raised {told.text}")


def _in_variant(about: dict[str, Any], session: Session, fmt: Format, model: PolicyModel, first: Evaluation, known: list[Structure]) -> Record:
    """A model in a variant, which has no time here: what it gains is ``mpcheck policy``'s to say."""
    if not _finite(first):
        return _judged(about, fmt, first, known[0].exact, {})
    fault = attempt_unless_refused(lambda: disagreement(model, known, first, fmt, session.device, about["backend"]))
    if isinstance(fault, Raised):
        return Record(**about, verdict="fail", reason=f"after its first call: raised {fault.text}")
    record = _judged(about, fmt, first, known[0].exact, fault)
    return record.model_copy(update={"note": ", ".join(filter(None, (record.note, compiled(model))))})


def _finite(found: Evaluation) -> bool:
    return bool(found.energy.isfinite().all() and found.forces.isfinite().all())


def _narrow(fmt: Format) -> bool:
    """Whether large numbers of a model may lie beyond the format."""
    return fmt.largest < torch.finfo(torch.float32).max / 2


def _fault(fmt: Format, orders: list[Evaluation], odd: Outlier) -> dict[str, Any]:
    """What several orders say of a model: fields of its record."""
    if not all(map(_finite, orders)):
        return (
            {} if _narrow(fmt) else {"verdict": "fail", "reason": "energies or forces are no numbers where atoms are moved, or come in another order"}
        )
    fault = {"verdict": "fail", "reason": odd.text} if odd.ratio > MOST else {}
    return {"ratio": odd.ratio, "limit": MOST, **fault}


def _judged(about: dict[str, Any], fmt: Format, found: Evaluation, exact: Evaluation, fault: dict[str, Any]) -> Record:
    if not _finite(found):
        reason = f"energies or forces are no numbers; {fmt.name} holds values up to {fmt.largest:.3g}"
        return Record(**about, verdict="unsupported" if _narrow(fmt) else "fail", reason=reason)
    if not _finite(exact):
        return Record(**about, verdict="fail", reason="float64's own energies or forces are no numbers, so that there is nothing to compare with")
    energy, force = (found.energy - exact.energy) / exact.atoms, found.forces - exact.forces
    stress = (found.stress - exact.stress)[exact.stress.isfinite()]
    size = rms(exact.forces)
    detail = WholeModel(
        energy_meV_per_atom=MILLI * rms(energy), force_meV_per_A=MILLI * rms(force), force_relative=rms(force) / size if size > 0 else None,
        stress_GPa=GPA * rms(stress) if stress.numel() else None,
    )  # fmt: skip
    return Record(**{**about, "verdict": "pass", "detail": detail, **fault})


def _timed(session: Session, made: dict[tuple[str, str], PolicyModel], records: dict[tuple[str, str], Record], graph: Any) -> None:
    """Add times to the records of what ran and has a time of its own."""
    calls: dict[str, Callable[[], Any]] = {}
    for key, model in made.items():
        if not emulated(model.policy, session.device) and records[key].detail is not None:
            calls["\t".join(key)] = _call(model, graph, session.device)
    base = "\t".join((REFERENCE_BACKEND, FLOAT64.name))
    if base not in calls:
        return
    read = interleaved(calls, choose_timer(session.device), RoundPlan(SECONDS, warmup=3, seed=session.seed)).seconds
    for name, seconds in read.items():
        backend, _, fmt = name.partition("\t")
        gained = speedup([read[base]], [seconds])
        record = records[backend, fmt]
        assert isinstance(record.detail, WholeModel)  # those without were not timed
        times = {"median_ms": 1e3 * typical(seconds), "speedup": gained.ratio, "speedup_low": gained.low, "speedup_high": gained.high}
        detail = record.detail.model_copy(update={n: v for n, v in times.items() if math.isfinite(v)})
        records[backend, fmt] = record.model_copy(update={"detail": detail})


def _call(model: PolicyModel, graph: Any, device: torch.device) -> Callable[[], Any]:
    given = moved(graph, model, device)
    return lambda: model({n: t.clone() for n, t in given.items()}, **FORCES)
