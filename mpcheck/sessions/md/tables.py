"""Tables of the md session: what was decided; means with their spread, as the thesis' Tables 4.4 and 4.5; traces, as its Table 4.3; speed; laws."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from mpcheck._names import MD_EQUIVALENCE, MD_PHYSICS, MD_RUN, MD_SPEED, MD_TRACE
from mpcheck.formats import F64
from mpcheck.records.document import Records
from mpcheck.records.dynamics_figures import DynamicsDifference, DynamicsLaw, DynamicsRun, DynamicsSpeed, DynamicsTrace
from mpcheck.sessions.md.answer import WORDS

Row = list[str]
DECIDED = ("protocol", "policy", "backend", "observable", F64, "difference", "90 % interval", "margin", "promised", "decision")
TRACES = ("protocol", "policy", "backend", "E RMSE", "E bias", "T RMSE", "T bias", "largest ΔT", "largest F, ratio")
"""meV/atom, K; of traces from the same start."""
MEANS = ("protocol", "policy", "backend", "T, K", "ρ, g/cm³", "p, GPa", "U, meV/atom", "MSD, Å²", "drift, meV/atom/ps", "drift over σ(K)")
SPEED = ("policy", "backend", "steps/s", "lowest – highest", "Msteps/day", "ps/day", "times float64", "mpcheck's share")
LAWS = ("protocol", "policy", "backend", "law", "measured", "expected", "")


def number(value: float | None, digits: int = 3) -> str:
    """For a table; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"


def decided(document: Records) -> list[Row]:
    """One row for each observable that was compared."""
    rows = []
    for r in document.of(MD_EQUIVALENCE):
        if isinstance(d := r.detail, DynamicsDifference):
            protocol = r.variant.removesuffix(f"-{d.observable}")
            needs = f" (needs {d.needed_ps:.3g} ps)" if d.decision == "cannot tell" and d.needed_ps is not None else ""
            promised = "–" if d.promised is None else f"{d.promised:+.3g} ± {number(d.promised_error, 1)}"
            said = f"{'FAIL: ' if r.red else ''}{d.decision}{needs}"
            interval = f"[{number(d.low)}, {number(d.high)}]"
            name = f"{WORDS.get(d.observable, d.observable)}, {d.unit}"
            cells = [protocol, r.subject, r.backend, name, number(d.reference, 6), number(d.difference), interval, number(d.margin), promised, said]
            rows.append(cells)
    return rows


def _by_arm(document: Records) -> dict[tuple[str, str, str], list[DynamicsRun]]:
    found: dict[tuple[str, str, str], list[DynamicsRun]] = {}
    for r in document.of(MD_RUN):
        if isinstance(r.detail, DynamicsRun) and not r.variant.endswith(("-twin", "-halved")):
            found.setdefault((r.variant.rpartition("-")[0], r.subject, r.backend), []).append(r.detail)
    return found


def means(document: Records) -> list[Row]:
    """Means over seeds ± the standard deviation within a run: thesis, Table 4.4."""
    rows = []
    for (protocol, policy, backend), runs in _by_arm(document).items():
        whole = [run for run in runs if run.ended == "finished"]
        if not whole:
            rows.append([protocol, policy, backend, f"no run came to its end ({runs[0].ended})", *["–"] * 6])
            continue

        def told(name: str, unit: str, runs: list[DynamicsRun] = whole) -> str:
            values = [v for run in runs if (v := getattr(run, f"{name}_{unit}")) is not None]
            spread = [v for run in runs if (v := getattr(run, f"{name}_std_{unit}", None)) is not None]
            if not values:
                return "–"
            digits = 6 if name == "potential" else 4
            return f"{statistics.fmean(values):.{digits}g}" + (f" ± {statistics.fmean(spread):.2g}" if spread and max(spread) > 1e-12 else "")

        drifts = [run.drift_over_kinetic for run in whole if run.drift_over_kinetic is not None]
        cells = [
            told("temperature", "K"), told("density", "g_per_cm3"), told("pressure", "GPa"), told("potential", "meV_per_atom"), told("msd", "A2"),
            told("drift", "meV_per_atom_ps"), number(statistics.fmean(drifts) if drifts else None, 2),
        ]  # fmt: skip
        rows.append([protocol, policy, backend, *cells])
    return rows


def traces(document: Records) -> list[Row]:
    """How far traces are from float64's of the same start: thesis, Table 4.3."""
    rows = []
    for r in document.of(MD_TRACE):
        if isinstance(d := r.detail, DynamicsTrace):
            values = (
                d.potential_rmse_meV_per_atom, d.potential_bias_meV_per_atom, d.temperature_rmse_K, d.temperature_bias_K, d.temperature_largest_K,
                d.force_ratio,
            )  # fmt: skip
            rows.append([r.variant, r.subject, r.backend, *(number(v) for v in values)])
    return rows


def speed(document: Records) -> list[Row]:
    """Steps a second."""
    rows = []
    for r in document.of(MD_SPEED):
        if isinstance(d := r.detail, DynamicsSpeed):
            span = f"{number(d.steps_per_second_low)} – {number(d.steps_per_second_high)}"
            share = "–" if d.overhead_percent is None else f"{d.overhead_percent:.1f} %"
            rate, day, ps, gain = (number(v) for v in (d.steps_per_second, d.mega_steps_per_day, d.ps_per_day, d.speedup))
            rows.append([r.subject, r.backend, rate, span, day, ps, gain, share])
    return rows


def laws(document: Records, verdicts: Iterable[str] = ()) -> list[Row]:
    """What physics asks for; of some verdicts alone."""
    rows, wanted = [], tuple(verdicts)
    for r in document.of(MD_PHYSICS):
        if isinstance(d := r.detail, DynamicsLaw) and (not wanted or r.verdict in wanted):
            protocol = r.variant.removesuffix(f"-{d.law.replace(' ', '-')}")
            measured = f"{number(d.measured, 4)}" + (f" ± {number(d.error, 2)}" if d.error else "") + (f" {d.unit}" if d.unit else "")
            state = {"pass": "holds", "fail": "BROKEN", "inconclusive": "cannot tell"}.get(r.verdict, r.verdict)
            rows.append([protocol, r.subject, r.backend, d.law, measured, number(d.expected, 4), state])
    return rows


def every(document: Records) -> list[tuple[str, Sequence[str], list[Row], str]]:
    """Title, columns, rows and alignment of each table that has something in it."""
    tables = [
        ("Equivalence to float64", DECIDED, decided(document), "llllrrrrrl"),
        ("Means over starts ± standard deviation within a run", MEANS, means(document), "lllrrrrrrr"),
        ("Traces against float64's of the same start: meV/atom, K", TRACES, traces(document), "lllrrrrrr"),
        ("Speed", SPEED, speed(document), "llrrrrrr"),
        ("Laws of physics", LAWS, laws(document), "llllrrl"),
    ]
    return [table for table in tables if table[2]]
