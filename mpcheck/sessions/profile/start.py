"""The profile session from a command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpcheck._text import say, say_lines
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import values_of


def start(spec: SessionSpec, options: Mapping[str, Any], out: Path, workers: int = 0, verbose: bool = False) -> int:
    """Measure, write, and show the maps.

    Returns:
        0 where it measured, 1 where something is red or it did not end well.

    Raises:
        InputError: bad input; then no record is written.
    """
    fields = values_of(spec.options, options)
    # torch and mace take seconds to import; a wrong option must not
    from mpcheck.bench.keys import MODEL_WORK
    from mpcheck.formats import FLOAT32
    from mpcheck.records.outcome import outcome
    from mpcheck.report.standing import standing
    from mpcheck.sessions.profile.run import ProfilePlan, profile_session
    from mpcheck.sessions.profile.tables import render

    asked = spec.options(**{"formats": (FLOAT32.name,), **fields}, progress=lambda text: say(f"{text} …", error=True))
    plan = ProfilePlan(asked.works or MODEL_WORK, asked.batch, asked.warmup, asked.calls, asked.sweep_seconds if asked.sweep else None)
    run, files = profile_session(asked, plan, out)
    say_lines(render(run))
    for line in standing(run)[1:]:
        say(line)
    say(f"written to {out}: {', '.join(path.name for path in files)}; open the traces at ui.perfetto.dev")
    return 1 if outcome(run) in ("fail", "crashed") else 0
