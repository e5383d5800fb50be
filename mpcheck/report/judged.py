"""What was made of the model and structures that the user named before they were judged, in words."""

from __future__ import annotations

from mpcheck._text import counted
from mpcheck.records.document import JudgedSystem, Records

MODEL = ("held", "conversion", "adapters", "tables", "tables_left", "heads")
"""What a model's source says for people, in this order."""


def subject_lines(run: Records) -> list[str]:
    """What was judged: the model, and structures of how many atoms."""
    model = run.model
    elements = " ".join(model.elements)
    size = counted(model.parameters, "parameter") if model.parameters is not None else ""
    lines = [f"model {model.name}: " + ", ".join(filter(None, (elements, size, f"stored in {model.stored_dtype}")))]
    return lines + [f"system {system.name}: {_size(system)}" for system in run.systems]


def _size(system: JudgedSystem) -> str:
    parts = [(system.atoms, "atom"), (system.frames if system.frames != 1 else None, "frame"), (system.edges, "edge")]
    return ", ".join(counted(number, what) for number, what in parts if number is not None) or "of unknown size"


def judged_lines(run: Records) -> list[str]:
    """One line for each thing: of the model first, then of systems, those of the same words together."""
    lines = [f"model: {run.model.source[key]}" for key in MODEL if key in run.model.source]
    told: dict[str, list[str]] = {}
    for system in run.systems:
        for note in system.notes:
            told.setdefault(note, []).append(system.name)
    return lines + [f"{', '.join(names)}: {note}" for note, names in told.items()]
