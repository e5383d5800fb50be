"""Speed against accuracy as rows: policies × backends × variants, in the layout of the thesis' Table 4.2 and with what that leaves out.

Its columns: time of a call, speed-up against float64, error of the energy. Besides: against float32, with intervals over launches; the error
per atom, in the total and in the interaction energy; the force error in meV/Å and relative to the RMS force, never to a force that symmetry
makes zero; memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpcheck._names import REFERENCE_BACKEND
from mpcheck._unsupported import Unsupported
from mpcheck.formats import F32, F64
from mpcheck.policy.speed.candidates import Candidate
from mpcheck.policy.speed.speedup import Speedup
from mpcheck.policy.speed.timing import Timings
from mpcheck.policy.speed.whole_errors import WholeErrors

BASES = (F64, F32)
"""Policies that speed-ups are against: on the reference's backend, as they are."""


@dataclass(frozen=True)
class TradeOff:
    """One policy, backend and variant on one workload.

    Attributes:
        system, batch, atoms, edges: the workload.
        milliseconds: of a call of energy and forces; None where it cannot run, and ``unsupported`` says why.
        to_float64, to_float32: how many times faster than that policy on e3nn, as it is; None where that was not timed.
        peak_bytes: that a call holds at most beyond inputs and weights; stored_bytes: of the weights.
        first_seconds: to build it and of its first call, in which it compiles.
        errors: of the call that was timed.
        device, machine: what it was timed on; a speed-up is that machine's. launches: processes that the times rest on.
    """

    candidate: Candidate
    system: str
    batch: int
    atoms: int
    edges: int
    milliseconds: float | None
    to_float64: Speedup | None
    to_float32: Speedup | None
    peak_bytes: int | None
    stored_bytes: int | None
    first_seconds: float | None
    errors: WholeErrors | None
    unsupported: Unsupported | None
    device: str
    machine: str
    launches: int

    def figures(self) -> dict[str, float]:
        """As a record's figures; what is not known is missing."""
        known: dict[str, float | None] = {
            "ms": self.milliseconds, "peak_bytes": self.peak_bytes, "stored_bytes": self.stored_bytes, "first_s": self.first_seconds,
            "atoms": self.atoms, "edges": self.edges, "batch": self.batch, "launches": self.launches,
        }  # fmt: skip
        for name, gained in (("speedup_float64", self.to_float64), ("speedup_float32", self.to_float32)):
            if gained is not None:
                known |= {name: gained.ratio, f"{name}_low": gained.low, f"{name}_high": gained.high}
        if self.errors is not None:
            known |= {
                "energy_meV_per_atom": self.errors.energy, "interaction_meV_per_atom": self.errors.interaction,
                "force_meV_per_A": self.errors.force, "force_relative": self.errors.force_relative, "total_eV": self.errors.total,
                "offset_eV": self.errors.offset, "force_eV_per_A": self.errors.force_size,
            }  # fmt: skip
        return {name: float(value) for name, value in known.items() if value is not None}


def trade_offs(timings: Timings, candidates: Sequence[Candidate], system: str, batch: int = 1) -> list[TradeOff]:
    """A row for each candidate, in their order."""
    return [_row(timings, c, system, batch) for c in dict.fromkeys(candidates)]


def _row(timings: Timings, candidate: Candidate, system: str, batch: int) -> TradeOff:
    name = candidate.id
    ran = name in timings.seconds and name not in timings.unsupported
    to = [timings.speedup(name, Candidate(base, REFERENCE_BACKEND).id) if ran else None for base in BASES]
    return TradeOff(
        candidate=candidate,
        system=system,
        batch=batch,
        atoms=timings.atoms,
        edges=timings.edges,
        milliseconds=timings.milliseconds(name) if ran else None,
        to_float64=to[0],
        to_float32=to[1],
        peak_bytes=timings.peak.get(name) if ran else None,
        stored_bytes=timings.stored.get(name) if ran else None,
        first_seconds=min(timings.building[name]) if ran and timings.building.get(name) else None,
        errors=timings.errors.get(name) if ran else None,
        unsupported=timings.unsupported.get(name),
        device=str(timings.environment.get("device", "")),
        machine=str(timings.environment.get("device_name", "")),
        launches=len(timings.seconds[name]) if ran else 0,
    )
