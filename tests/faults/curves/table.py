"""The curves as a section of Markdown."""

from __future__ import annotations

from collections import Counter

from tests.faults.curves.cells import DRIFT, LIMITS, PRECISION
from tests.faults.curves.records import LARGEST, Curves, Planting
from tests.faults.curves.statistics import FEWEST, Curve, curve, curves

SUNK = 0.1
"""Of the noise scale: a change this small lies inside the format's own rounding errors, and no comparison with float64 can see it."""


CLEAR = 10.0
"""Noise scales: a fault this large is no rounding error of any sound implementation."""


def number(x: float | None) -> str:
    """Two digits; a dash for none."""
    if x is None:
        return "–"
    return "not finite" if x >= LARGEST else f"{x:.2g}"


def _missed(c: Curve) -> str:
    p = c.largest_missed
    return "none" if p is None else f"{number(p.size)}: {p.family}, {p.subject} ({p.backend}, {p.direction})"


def _alarms(c: Curve) -> str:
    return f"{c.alarms} / {c.sound} (below {c.alarm_bound:.2g})" if c.sound else "–"


def level(c: Curve, size: float | None) -> str:
    """A size read off the fit; an upper bound where no smaller planting was made."""
    return ("≤ " if size is not None and size == c.smallest else "") + number(size)


def _row(c: Curve, first: str) -> str:
    idle = f" + {c.idle}" + (f", {c.idle_red} red" if c.idle_red else "") if c.idle else ""
    return f"| {first} | {c.plantings}{idle} | {level(c, c.half)} | {level(c, c.nearly)} | {_missed(c)} | {_alarms(c)} |"


def by_check(found: Curves) -> list[str]:
    """One row for each check and format."""
    lines = [
        "| check | format | plantings | seen in 50 % from | seen in 95 % from | largest that stayed green | red without a fault (95 % bound) |",
        "|---|---|---|---|---|---|---|",
    ]
    return lines + [_row(c, f"{c.check} | {c.format}") for c in curves(found)]


def by_family(found: Curves, check: str = PRECISION) -> list[str]:
    """One row for each family, all formats together, of the precision check."""
    rows = [p for p in found.plantings if check in p.asked]
    families = Counter(p.family for p in rows)
    lines = ["| fault | plantings | seen in 50 % from | seen in 95 % from | largest that stayed green |", "|---|---|---|---|---|"]
    for family in families:
        c = curve(check, "", [p for p in rows if p.family == family], [])
        lines.append(f"| {family} | {c.plantings} | {level(c, c.half)} | {level(c, c.nearly)} | {_missed(c)} |")
    return lines


def by_rule(found: Curves) -> list[str]:
    """One row for each rule: of the plantings in blocks that are clearly larger than the noise, how many it sees, by format."""
    large = [p for p in found.plantings if p.rules and p.size >= CLEAR]
    formats = list(dict.fromkeys(p.format for p in large))
    lines = [f"| rule | {' | '.join(formats)} | all | not tested | always red |", "|---" * (len(formats) + 4) + "|"]
    for rule in dict.fromkeys(name for p in large for name in p.rules):
        outcomes = {f: Counter(p.rules[rule] for p in large if p.format == f) for f in formats}
        whole: Counter[str] = sum(outcomes.values(), Counter())
        shares = [f"{o['seen'] / o.total():.0%}" if o["not tested"] < o.total() else "–" for o in outcomes.values()]
        total = whole.total()
        lines.append(
            f"| {rule} | {' | '.join(shares)} | {whole['seen'] / total:.0%} | {whole['not tested'] / total:.0%} | {whole['always red'] / total:.0%} |"
        )
    return lines


def sunk(found: Curves) -> str:
    """What lies below the noise, in words."""
    rows: list[Planting] = [p for p in found.plantings if LIMITS in p.asked]
    idle = [p for p in rows if p.size == 0]
    small = [p for p in rows if 0 < p.size < SUNK]
    seen = {kind: sum(kind in p.seen for p in small) for kind in (PRECISION, DRIFT)}
    loud = [p for p in rows if p.seen and p.size > 0]
    named = sum(p.named for p in loud)
    quiet = len(idle) - sum(bool(p.seen) for p in idle)
    return (
        f"Of {len(rows)} plantings in blocks {len(idle)} change no bit of any result: they are gone in the format's rounding, and {quiet} of them "
        f"turned nothing red. {len(small)} more are smaller than {SUNK:g} of the noise scale, inside the rounding errors of sound code; no "
        f"comparison with float64 can tell them from it. Limits saw {seen[PRECISION]} of these (single elements, whose own scale is smaller), "
        f"drift {seen[DRIFT]}. Of {len(loud)} that were seen, the tensor that the fault touches most was named in {named}."
    )


def markdown(found: Curves) -> str:
    """The whole section."""
    lines = [
        f"{len(found.plantings)} plantings in {found.model['name']} on {found.system}. Size: RMS of the change over the RMS of the noise scale, "
        "of the tensor that a fault touches most; for physics over the property's own resolution. Plantings: those that changed a result + those "
        f"that changed no bit of it. A dash: not reached, or fewer than {FEWEST} plantings; ≤: no smaller one was planted.",
        "",
        *by_check(found),
        "",
        sunk(found),
        "",
        f"By kind of fault ({PRECISION}, all formats):",
        "",
        *by_family(found),
        "",
        f"The same plantings in blocks of {CLEAR:g} noise scales and more by other projects' rules, applied block by block to what the format "
        "gave, float64 and a plain result (share seen; a dash: the project has no such format):",
        "",
        *by_rule(found),
    ]
    return "\n".join(lines) + "\n"
