"""All plantings and all sound cells into one document, and the document into a table."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from mpcheck.records.environment import describe
from mpcheck.sessions.run import Session
from tests.faults.deciders.clean import clean_keys, end_to_end_alarm, false_alarms
from tests.faults.deciders.peers import DECIDERS
from tests.faults.deciders.records import Comparison, Peer, Trial
from tests.faults.deciders.trials import END_TO_END, NAMED, attempt, plantings

SYSTEM = "builtin:water"
SOURCES = {rule.name: rule.source for rule in DECIDERS} | {
    END_TO_END: "tests/test_cueq_oeq.py as it is: whole model, float64, cueq against e3nn",
    NAMED: "tests/faults/catalogue.yaml",
}


def compare_rules(
    session: Session, formats: Sequence[str], only: Callable[[str], bool] = lambda _: True,
    progress: Callable[[str], None] = lambda _: None,
) -> Comparison:  # fmt: skip
    """Every planting that acts on blocks' values and every sound cell, by every rule.

    Args:
        only: which plantings, by label.
    """
    began = time.perf_counter()
    keys = clean_keys(session, SYSTEM, session.backend_names, formats)
    tally = false_alarms(session, keys, progress)
    tally[END_TO_END] = Counter({"clean": 1, "alarms": int(end_to_end_alarm(session, SYSTEM))})
    trials: list[Trial] = []
    for label, _, plant in plantings():
        if only(label) and plant.system == SYSTEM:
            progress(f"planting {label}")
            with tempfile.TemporaryDirectory() as place:
                trials.append(attempt(session, label, plant, Path(place)))
    rows = []
    for name, source in SOURCES.items():
        outcomes = Counter(t.outcomes[name] for t in trials if name in t.outcomes)
        row = tally.get(name, Counter())
        rows.append(
            Peer(
                name=name, source=source, seen=outcomes["seen"], missed=outcomes["missed"], not_tested=outcomes["not tested"],
                always_red=outcomes["always red"], clean=row["clean"], clean_not_tested=row["not tested"], alarms=row["alarms"],
            )
        )  # fmt: skip
    model = {"name": session.options.model, "digest": session.model.digest}
    alarms = {n: {k.removeprefix("alarms "): v for k, v in row.items() if k.startswith("alarms ")} for n, row in tally.items()}
    return Comparison(
        schema_version=1, environment=describe(str(session.device)), model=model, system=SYSTEM,
        peers=rows, trials=trials, alarms=alarms, seconds=round(time.perf_counter() - began, 2),
    )  # fmt: skip


def markdown(found: Comparison) -> str:
    """The table of a comparison."""
    judged = [t for t in found.trials if not t.excluded]
    lines = [
        f"{len(judged)} plantings of real faults that act on what blocks compute, and the sound cells of all leaf blocks of "
        f"{found.model['name']} on {found.system}. *Not tested*: the project's tests have no such format, or no derivatives; it "
        "counts as missed. *Always red*: the rule objects to the same cell without the fault, too.",
        "",
        "| rule | seen | missed | not tested | always red | false alarms / sound cells judged | alarms by format |",
        "|---|---|---|---|---|---|---|",
    ]
    for p in found.peers:
        by_format = ", ".join(f"{f} {n}" for f, n in found.alarms.get(p.name, {}).items()) or "–"
        share = f"{p.alarms} / {p.clean}" if p.clean else "–"
        lines.append(f"| {p.name} | {p.seen} | {p.missed} | {p.not_tested} | {p.always_red} | {share} | {by_format} |")
    left_out = [t for t in found.trials if t.excluded]
    if left_out:
        lines += ["", "Left out: " + "; ".join(f"{t.plant} ({t.excluded})" for t in left_out) + "."]
    return "\n".join(lines) + "\n"
