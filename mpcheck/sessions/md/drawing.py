"""Pictures of the md session: traces, how trajectories part, structure, displacement."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mpcheck._names import MD_DIVERGENCE, MD_TRACE
from mpcheck.records.document import Records
from mpcheck.records.dynamics_figures import DynamicsDivergence, DynamicsTrace
from mpcheck.records.record import Record
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.curves import Curve, Words, curves_picture
from mpcheck.report.pictures.words import slug

Values = Sequence[float] | None
TRACES: tuple[tuple[str, str, str, Callable[[DynamicsTrace], tuple[Values, Values]], str, str], ...] = (
    ("temperature", "Temperature", "K", lambda d: (d.time_ps, d.temperature_K), "time, ps", "one start"),
    ("potential", "Potential energy", "meV/atom", lambda d: (d.time_ps, d.potential_meV_per_atom), "time, ps", "one start"),
    ("conserved", "Change of the conserved energy", "meV/atom", lambda d: (d.time_ps, d.conserved_meV_per_atom), "time, ps", "one start"),
    ("density", "Density", "g/cm³", lambda d: (d.time_ps, d.density_g_per_cm3), "time, ps", "one start"),
    ("msd", "Mean squared displacement", "Å²", lambda d: (d.lag_ps, d.msd_A2), "time, ps", "mean over starts"),
    ("rdf", "Radial distribution function", "g(r)", lambda d: (d.r_A, d.rdf), "r, Å", "mean over starts"),
)
"""Name, title, unit, what is drawn, axis, of what."""


def pictures(document: Records) -> list[Picture]:
    """All that there are."""
    made: list[Picture | None] = []
    traces = [r for r in document.of(MD_TRACE) if isinstance(r.detail, DynamicsTrace)]
    places = list(dict.fromkeys((r.system, r.variant) for r in traces))
    for system, protocol in places:
        own = [r for r in traces if (r.system, r.variant) == (system, protocol)]
        for name, title, unit, values, axis, of in TRACES:
            curves = [Curve(_name(r), x, y) for r in own if isinstance(r.detail, DynamicsTrace) for x, y in [values(r.detail)] if x and y]
            pairs = next((r.detail.pairs for r in own if isinstance(r.detail, DynamicsTrace)), "") if name == "rdf" else ""
            part = " Traces part once chaos has grown a rounding." if axis == "time, ps" else ""
            caption = f"{title}{f' of {pairs} pairs' if pairs else ''} in {protocol} on {system}, {of}.{part}"
            label = slug(document.suite, name, protocol, system if len({s for s, _ in places}) > 1 else "")
            made.append(curves_picture(curves, Words(label, "errors", f"{title}: {protocol}", caption, axis, unit)))
    made += [_parting(document, system) for system in dict.fromkeys(r.system for r in document.of(MD_DIVERGENCE))]
    return [p for p in made if p is not None]


def _name(record: Record) -> str:
    return f"{record.subject} on {record.backend}"


def _parting(document: Records, system: str) -> Picture | None:
    """Distance from float64's trajectory."""
    curves = []
    for r in document.of(MD_DIVERGENCE):
        if r.system == system and isinstance(d := r.detail, DynamicsDivergence) and d.time_fs and d.distance_A:
            curves.append(Curve(_name(r), d.time_fs, d.distance_A))
            if d.predicted_distance_A:
                curves.append(Curve(_name(r), d.time_fs, d.predicted_distance_A, promised=True))
    caption = (
        f"RMS distance of atoms from float64's run of the same start, constant energy, {system}. Promised is what the policy's force error makes of "
        "it by the largest Lyapunov exponent of float64."
    )
    up = "distance from float64's trajectory, Å"
    return curves_picture(
        curves, Words(slug(document.suite, "parting", system), "errors", "How trajectories part", caption, "time, fs", up), log=True
    )
