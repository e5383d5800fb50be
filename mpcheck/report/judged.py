"""What was made of the model and structures that the user named before they were judged, in words."""

from __future__ import annotations

from mpcheck.records.document import Records

MODEL = ("held", "conversion", "adapters", "tables", "tables_left", "heads")
"""What a model's source says for people, in this order."""


def judged_lines(run: Records) -> list[str]:
    """One line for each thing: of the model first, then of systems, those of the same words together."""
    lines = [f"model: {run.model.source[key]}" for key in MODEL if key in run.model.source]
    told: dict[str, list[str]] = {}
    for system in run.systems:
        for note in system.notes:
            told.setdefault(note, []).append(system.name)
    return lines + [f"{', '.join(names)}: {note}" for note, names in told.items()]
