"""Run the one piece of the suite that a planting names, and say what it concluded and whom it blamed."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from mpcheck._errors import error_line
from mpcheck.adapters.backends import design
from mpcheck.bench.cost.compare import compare_fingerprints
from mpcheck.bench.cost.fingerprint import fingerprint
from mpcheck.bench.decide.decision import Rule, judge, paired_sample
from mpcheck.bench.decide.first_calls import Pair, judge_pairs
from mpcheck.bench.keys import BenchKey
from mpcheck.bench.timing.starts import first_calls
from mpcheck.bench.work.workload import Workload, once
from mpcheck.bench.work.workloads import Workloads
from mpcheck.checks.audit.observing import forget
from mpcheck.checks.audit.partial_sums import growth
from mpcheck.checks.precision import CellKey
from mpcheck.checks.symmetry import conversions, moved
from mpcheck.checks.uses import doors, modes, outputs
from mpcheck.formats import get_format
from mpcheck.judge.context import Key
from mpcheck.judge.upstream_limits import load_limits
from mpcheck.records.record import Record, first_changed
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Session
from tests import inspections
from tests.faults.catalogue import Plant
from tests.faults.patches import PATCHES

BASELINES = Path(__file__).parents[2] / "baselines"
NON_LINEAR = "RealAgnosticResidualNonLinearInteractionBlock"
OWN_CONFIGURATIONS = {
    "non-linear": design.Configuration(2, 2, 1, design.ONE, True, "cueq", (("interaction_cls", NON_LINEAR),)),
}
"""Architectures that faults need and that the covering set of the conversion check lacks."""
PAIRS, ROUNDS, BATCH = 5, 12, 4
NO_SYSTEM = (
    "process", "construction", "smoothness", "edges", "empty", "indices", "ghost-classes", "strided-model", "directions", "second-derivatives",
    "small-cells", "supercell", *modes.PROPERTIES, *outputs.PROPERTIES, *doors.PROPERTIES,
)  # fmt: skip
Fault = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Seen:
    """What one piece of the suite concluded: verdict, everything that it blamed (blocks, properties), and its reason."""

    verdict: str
    blamed: tuple[str, ...] = ()
    reason: str = ""


def _of(found: Iterable[Record], plant: Plant) -> Seen:
    """The finding of the plant's variant; where there are several, the first that is red, else the first that does not pass."""
    listed = [f for f in found if not plant.variant or f.variant == plant.variant]
    assert listed, f"no finding of variant {plant.variant!r}"
    chosen = min(listed, key=lambda f: (f.verdict != plant.red, f.verdict == "pass"))
    words = chosen.reason.replace(",", " ").replace(":", " ").replace(";", " ").split()
    blamed = (chosen.subject, *chosen.worst.replace(",", " ").split(), *words) if chosen.verdict != "pass" else ()
    return Seen(chosen.verdict, blamed, chosen.reason)


def _view(session: Session, plant: Plant) -> Session:
    """The session with one format, and with one block where a property goes through all of them; shares what is built."""
    made = copy.copy(session)
    made.formats = [get_format(plant.format)]
    made._graphs = {}  # a faulty neighbour list makes every graph
    if plant.subject in ("strided", "closed-forms"):
        made.options = dataclasses.replace(session.options, blocks=(plant.expected,))
    return made


def _precision(session: Session, plant: Plant) -> Seen:
    cell = judge_by_limits(session, CellKey(plant.system, plant.subject, plant.backend, plant.format, plant.direction))
    return Seen(cell.verdict, (cell.subject,) if cell.verdict == "fail" else (), cell.reason)


def _golden(session: Session, plant: Plant) -> Seen:
    rows = Suite(session, BASELINES).compare_golden(plant.system)
    failed = [row for row in rows if row.red]
    if not failed:
        return Seen("pass")
    block = first_changed(rows)
    return Seen("fail", (block,) if block else (), f"{len(failed)} values, first of {block or 'none'}: {failed[0].tensor}: {failed[0].reason}")


def _symmetry(session: Session, plant: Plant) -> Seen:
    if plant.subject in OWN_CONFIGURATIONS:
        return _of(conversions.judge_configuration(session, OWN_CONFIGURATIONS[plant.subject], load_limits()), plant)
    moved._WHOLES.clear()  # transformed graphs were made by upstream as it was then
    fmt, system = ("", "") if plant.check == "conversion" else (plant.format, plant.system)
    return _of(inspections.run("symmetry", _view(session, plant), Key(plant.check, plant.subject, plant.backend, fmt, system)), plant)


def _audit(session: Session, plant: Plant) -> Seen:
    context = _view(session, plant)
    forget(context)
    growth.cache_clear()  # what operations do was measured once for the process
    system = "" if plant.subject in NO_SYSTEM else plant.system
    fmt = plant.format if system and plant.check != "reductions" else ""
    found = inspections.run("audit", context, Key(plant.check, plant.subject, plant.backend, fmt, system))
    return _of([f for f in found if plant.check != "reductions" or f.format == plant.format], plant)


def _opened(session: Session, plant: Plant) -> contextlib.AbstractContextManager[Workload]:
    return Workloads(session).opened(BenchKey(plant.system, 1, plant.subject, plant.backend, plant.format, "forward"))


def _cost(session: Session, plant: Plant, fault: Fault) -> Seen:
    """The fingerprint of a call with the fault against that of one without it."""
    with _opened(session, plant) as workload:
        base = fingerprint(workload)
        with fault():
            found = compare_fingerprints(base, fingerprint(workload))
    return Seen("fail", (plant.subject,), "; ".join(found.worse)) if found.worse else Seen("pass")


def _seconds(workload: Workload) -> float:
    began = time.perf_counter()
    for _ in range(BATCH):
        workload.call()
    return time.perf_counter() - began


def _latency(session: Session, plant: Plant, fault: Fault) -> Seen:
    """The gate's decision on pairs of rounds without and with the fault, in turns.

    The gate's pairs are processes; these share one, so that what is tested is its decision, not its launches.
    """
    differences = []
    with _opened(session, plant) as workload:
        for _ in range(PAIRS):
            base, head = [], []
            for _ in range(ROUNDS):
                base.append(_seconds(workload))
                with fault():
                    head.append(_seconds(workload))
            differences.append(math.log(statistics.median(head) / statistics.median(base)))
    found = judge({plant.subject: paired_sample(differences)}, Rule())[plant.subject]
    return Seen("fail", (plant.subject,), f"slower by {found.effect:.0%}") if found.decision == "slower" else Seen("pass")


def _first_calls(session: Session, plant: Plant, fault: Fault) -> Seen:
    """The gate's decision on first calls of fresh shapes, without and with the fault in turns."""
    workloads, base, head, steady = Workloads(session), list[float](), list[float](), list[float]()
    sides: tuple[tuple[list[float], Fault], ...] = ((base, contextlib.nullcontext), (head, fault))
    for pair in range(PAIRS):
        for number, (side, planted) in enumerate(sides):
            key = BenchKey(plant.system, 2 * pair + 2 + number, plant.subject, plant.backend, plant.format, "forward")
            with planted(), workloads.opened(key, fresh=True) as workload:
                side.append(first_calls(workload.call, workload.device, workload.first_call))
                if side is base:
                    steady.append(min(once(workload.call, workload.device) for _ in range(3)))
    found = judge_pairs({plant.subject: Pair(base, head, statistics.median(steady), together=True)})[plant.subject]
    return Seen("fail", (plant.subject,), f"slower by {found.effect:.0%}") if found.decision == "slower" else Seen("pass")


_RUNS: dict[str, Callable[[Session, Plant], Seen]] = {"precision": _precision, "golden": _golden}
_RUNS |= dict.fromkeys(("equivariance", "layout", "mix", "conversion"), _symmetry)
_AUDITED = ("engagement", "dtypes", "accumulation", "reductions", "graph", "size", "physics", "modes", "outputs", "doors")
_RUNS |= dict.fromkeys(_AUDITED, _audit)
_TIMED: dict[str, Callable[[Session, Plant, Fault], Seen]] = {"cost": _cost, "latency": _latency, "first-call": _first_calls}


def anew(session: Session, cache: Path) -> Session:
    """A session like another, with a model of its own and no reference made; it shares twins, which take seconds to build."""
    made = Session(dataclasses.replace(session.options, cache=cache))
    made._backends = {name: built for name, built in session._backends.items() if name != "e3nn"}
    return made


def conclude(
    session: Session,
    plant: Plant,
    fault: bool,
    cache: Path | None = None,
    twin: Callable[[Session], contextlib.AbstractContextManager[None]] | None = None,
) -> Seen:
    """What the suite says of the plant's piece of work, with the fault in it or without.

    Args:
        cache: an empty directory for the references of a fault that is there before they are made.
        twin: a legitimate change, of the session that is judged, that takes the fault's place.
    """
    if fault and plant.inherited:
        assert cache is not None, "an inherited fault needs a cache of its own"
        session = anew(session, cache)

    def planted() -> contextlib.AbstractContextManager[None]:
        if fault and twin is not None:
            return twin(session)
        return PATCHES[plant.patch](session, **plant.arguments) if fault else contextlib.nullcontext()

    if plant.check in _TIMED:
        return _TIMED[plant.check](session, plant, planted)
    with planted():
        try:
            return _RUNS[plant.check](session, plant)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:  # a check that breaks down has not seen the fault
            return Seen("no finding", (), error_line(error))
