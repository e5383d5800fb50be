"""Records of the policy session that nothing had to be computed for."""

from __future__ import annotations

from typing import Any

from mpcheck.records.document import Records
from mpcheck.records.policy_figures import PolicyBlock, PolicyChoice, PolicyErrors, PolicySpeed
from mpcheck.records.record import Record
from tests.unit.record_samples import findings

WATER = "builtin:water"


def errors(energy: float | None = 0.1, force: float | None = 1.0, **more: Any) -> PolicyErrors:
    own = {"structures": 24.0, "energy_meV_per_atom": energy, "force_meV_per_A": force, "predicted_force_meV_per_A": 1.0, "stress_GPa": 0.01}
    return PolicyErrors(**{**own, **more})  # type: ignore[arg-type]  # fields of one type


def judged(policy: str, detail: PolicyErrors | None = None, backend: str = "e3nn", verdict: Any = "pass", **more: Any) -> list[Record]:
    about = {"check": "policy", "subject": policy, "backend": backend, "system": WATER, "key": f"{policy}-{backend}"}
    applied = Record(**about, variant="applied", verdict=verdict, **more)
    return [applied, Record(**about, variant="finite", verdict="pass", detail=detail)] if detail is not None else [applied]


def timed(policy: str, speedup: float, backend: str = "e3nn", variant: str = "") -> Record:
    detail = PolicySpeed(
        median_ms=10.0 / speedup,
        speedup_float64=speedup,
        speedup_float64_low=0.9 * speedup,
        speedup_float64_high=1.1 * speedup,
        atoms=33.0,
        peak_bytes=8e6,
    )
    about = {"check": "policy-speed", "subject": policy, "backend": backend, "variant": variant, "system": WATER, "key": "speed"}
    return Record(**about, verdict="pass", detail=detail)  # type: ignore[arg-type]  # fields of one type


def block(name: str, share: float, **more: Any) -> Record:
    detail = PolicyBlock(role="linear", runs_in="bfloat16 → float32", force_share=share, energy_share=share, force_meV_per_A=share, **more)
    about = {"check": "policy-budget", "subject": name, "backend": "e3nn", "variant": "linear-bf16", "system": WATER, "key": "budget"}
    return Record(**about, verdict="pass", detail=detail)  # type: ignore[arg-type]  # fields of one type


PROMISED = {"predicted_energy_meV_per_atom": 0.6, "predicted_force_meV_per_A": 4.0}


def searched(**more: Any) -> Record:
    own: dict[str, Any] = {"budget": "1 meV/atom", "policy": "searched-1", "title": "linear, layer 0 in float16", "rules": "name: searched-1\n"}
    detail = PolicyChoice(
        **{**own, "energy_meV_per_atom": 0.5, "force_meV_per_A": 3.0, "speedup_float64": 2.5, "peak_bytes": 8e6, **PROMISED, **more}
    )
    about = {"check": "policy-search", "subject": "model", "backend": "e3nn", "system": WATER, "key": "search"}
    return Record(**about, verdict="pass", detail=detail)


def document(*records: Record, **options: Any) -> Records:
    return findings("policy", *records, options=options)
