"""Records of the md session that nothing had to be run for."""

from __future__ import annotations

from typing import Any

from mpcheck.records.document import Records
from mpcheck.records.dynamics_figures import DynamicsDifference, DynamicsDivergence, DynamicsLaw, DynamicsRun, DynamicsSpeed, DynamicsTrace
from mpcheck.records.record import Record
from tests.unit.record_samples import findings

WATER = "builtin:water"


def _record(check: str, policy: str, variant: str, detail: Any, verdict: Any = "pass", **more: Any) -> Record:
    about = {"check": check, "subject": policy, "backend": "e3nn", "system": WATER, "variant": variant, "key": f"{check}-{policy}-{variant}"}
    return Record(**{**about, **more}, verdict=verdict, detail=detail)


def difference(policy: str, decision: Any, observable: str = "temperature_K", verdict: Any = "pass", **more: Any) -> Record:
    own = {"difference": 0.5, "low": -1.0, "high": 2.0, "margin": 3.0, "reference": 300.0, "mean": 300.5, "seeds": 3.0, **more}
    detail = DynamicsDifference(observable=observable, unit="K", decision=decision, **own)
    return _record("md-equivalence", policy, f"nve-{observable}", detail, verdict, reason="it is" if verdict == "fail" else "")


def run(policy: str, seed: int = 0, ended: str = "finished", **more: Any) -> Record:
    own = {"temperature_K": 300.0 + seed, "temperature_std_K": 30.0, "potential_meV_per_atom": -46000.0, "potential_std_meV_per_atom": 4.0}
    detail = DynamicsRun(ended=ended, seed=float(seed), **({**own, **more} if ended == "finished" else {}))
    reason = "" if ended == "finished" else f"explodes after 3 fs: {ended}"
    return _record("md-run", policy, f"nve-{seed}", detail, "pass" if ended == "finished" else "fail", reason=reason)


def speed(policy: str, gain: float) -> Record:
    detail = DynamicsSpeed(
        steps_per_second=40.0 * gain,
        steps_per_second_low=38.0,
        steps_per_second_high=44.0,
        mega_steps_per_day=3.4,
        speedup=gain,
        overhead_percent=1.2,
    )
    return _record("md-speed", policy, "", detail)


def parting(policy: str, end: float) -> Record:
    detail = DynamicsDivergence(rms_A=end, time_fs=[0.0, 10.0, 20.0], distance_A=[0.0, end / 2, end], predicted_distance_A=[0.0, end, 2 * end])
    return _record("md-divergence", policy, "nve", detail)


def law(policy: str, name: str, verdict: Any = "pass") -> Record:
    detail = DynamicsLaw(law=name, unit="K", measured=305.0, expected=300.0, error=3.0)
    return _record("md-physics", policy, f"nve-{name.replace(' ', '-')}", detail, verdict, reason="it is hot" if verdict == "fail" else "")


def trace(policy: str, **more: Any) -> Record:
    own: dict[str, Any] = {
        "potential_rmse_meV_per_atom": 0.1, "time_ps": [0.0, 0.1, 0.2], "temperature_K": [300.0, 310.0, 290.0],
        "potential_meV_per_atom": [-1.0, -2.0, -1.5], "r_A": [1.0, 2.0], "rdf": [0.0, 1.5], "pairs": "O-O",
    }  # fmt: skip
    return _record("md-trace", policy, "nve", DynamicsTrace(**{**own, **more}))


def document(*records: Record, **options: Any) -> Records:
    return findings("md", *records, options=options)


RUN = document(
    run("float64"), run("float64", 1), run("float32"), run("all-fp16"), run("all-bf16", ended="a force of 2e+03 eV/Å"),
    difference("float32", "equivalent"), difference("float32", "equivalent", "potential_meV_per_atom"),
    difference("all-fp16", "different", "potential_meV_per_atom", difference=10.4, low=9.0, high=11.0, promised=10.3, promised_error=0.2),
    difference("linear-bf16", "cannot tell", verdict="inconclusive", needed_ps=12.0),
    parting("float32", 2e-6), parting("all-fp16", 0.5), speed("float64", 1.0), speed("float32", 1.4), speed("all-fp16", 0.6),
    law("float32", "temperature"), law("all-fp16", "barostat's mass", "fail"), trace("float64"), trace("float32"),
)  # fmt: skip
