"""The answer, before any table: in which policies dynamics is float64's, in which it is not, and of which more must be run to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mpcheck._names import MD_DIVERGENCE, MD_EQUIVALENCE, MD_RUN, MD_SPEED
from mpcheck._text import counted, listed
from mpcheck.formats import F64
from mpcheck.records.document import Records
from mpcheck.records.dynamics_figures import DynamicsDifference, DynamicsDivergence, DynamicsRun, DynamicsSpeed
from mpcheck.records.record import Record

TOGETHER = 0.01
"""Å, RMS: nearer than this at its end, a run has not left float64's trajectory, and its means are equal because it is the same run."""
WORDS = {
    "temperature_K": "temperature", "potential_meV_per_atom": "potential energy", "pressure_GPa": "pressure", "density_g_per_cm3": "density",
    "drift_meV_per_atom_ps": "drift of the total energy", "largest_force_eV_per_A": "largest force", "msd_A2": "mean squared displacement",
    "neighbours": "neighbours within 3.5 Å",
}  # fmt: skip


@dataclass
class Arm:
    """A policy on a backend and system, with all that was found of it; by decision, the protocols and observables."""

    system: str
    policy: str
    backend: str
    rows: list[tuple[str, DynamicsDifference]] = field(default_factory=list)
    speed: DynamicsSpeed | None = None
    apart_A: float | None = None
    red: list[Record] = field(default_factory=list)
    refused: str = ""
    exploded: int = 0

    def of(self, decision: str) -> list[tuple[str, DynamicsDifference]]:
        """Observables with this decision."""
        return [(protocol, d) for protocol, d in self.rows if d.decision == decision]


def arms(document: Records) -> list[Arm]:
    """Of all policies, float64 first."""
    found: dict[tuple[str, str, str], Arm] = {}
    for record in document.records:
        arm = found.setdefault((record.system, record.subject, record.backend), Arm(record.system, record.subject, record.backend))
        detail = record.detail
        if record.red:
            arm.red.append(record)
        if record.check == MD_EQUIVALENCE and isinstance(detail, DynamicsDifference):
            arm.rows.append((record.variant.removesuffix(f"-{detail.observable}"), detail))
        elif record.check == MD_SPEED and isinstance(detail, DynamicsSpeed):
            arm.speed = detail
        elif record.check == MD_DIVERGENCE and isinstance(detail, DynamicsDivergence):
            arm.apart_A = detail.rms_A
        elif record.check == MD_RUN and record.verdict == "unsupported":
            arm.refused = record.reason
        elif record.check == MD_RUN and isinstance(detail, DynamicsRun) and detail.ended != "finished":
            arm.exploded += 1
    return list(found.values())


def answer(document: Records) -> list[str]:
    """A line for each policy, and what a reader must know of them all."""
    lines = []
    for arm in arms(document):
        if arm.policy == F64 and not arm.rows:
            continue
        where = f"{document.model.name} on {arm.system}, {arm.policy} on {arm.backend}"
        lines.append(f"{where}: {_told(arm)}")
        if arm.apart_A is not None and arm.apart_A < TOGETHER and arm.of("equivalent"):
            lines.append(
                f"  its runs are still within {arm.apart_A:.1g} Å of float64's at their ends: equal as the same trajectory; --length runs on"
            )
    return lines or ["no policy was compared with float64"]


def _told(arm: Arm) -> str:
    if arm.refused:
        return f"cannot be run: {arm.refused}"
    if arm.exploded:
        return f"EXPLODES in {counted(arm.exploded, 'run')}"
    different, unknown, equal = (arm.of(d) for d in ("different", "cannot tell", "equivalent"))
    gain = f"; {arm.speed.speedup:.2f} times as fast as float64" if arm.speed is not None and arm.speed.speedup is not None else ""
    if different:
        return f"DIFFERENT from float64 in {_names(different)}{gain}"
    if unknown:
        longest = max((d.needed_ps or 0.0 for _, d in unknown), default=0.0)
        needs = f", which needs about {longest:.3g} ps" if longest else ""
        return f"cannot tell of {_names(unknown)}{needs}; equivalent in {len(equal)} of {counted(len(arm.rows), 'observable')}{gain}"
    if not equal:
        return "nothing could be compared"
    protocols = listed(list(dict.fromkeys(p for p, _ in equal)), 4)
    return f"equivalent to float64 in all {counted(len(equal), 'observable')} ({protocols}){gain}"


def _names(rows: Sequence[tuple[str, DynamicsDifference]]) -> str:
    each: dict[str, list[str]] = {}
    for protocol, d in rows:
        each.setdefault(WORDS.get(d.observable, d.observable), []).append(f"{protocol} {d.difference:+.3g} {d.unit}")
    return "; ".join(f"{name} ({listed(told, 2)})" for name, told in list(each.items())[:3]) + (f" and {len(each) - 3} more" if len(each) > 3 else "")
