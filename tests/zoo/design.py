"""Which models run on which structures: every model on some, every structure by some, the same each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

STRUCTURES_EACH = 2  # of a model, where that many have its elements
MODELS_EACH = 2  # of a structure, at least


def pairing(models: Mapping[str, Sequence[str]], structures: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Structures of every model.

    Each model takes, in the order of the table, the structures of its elements that fewest have taken so far; those that still have fewer
    than MODELS_EACH models are given to the models of their elements that have fewest structures.

    Args:
        models: elements of each model; structures: elements of each structure.

    Raises:
        ValueError: a structure whose elements no model has, or the reverse.
    """
    fitting = {m: [s for s, found in structures.items() if set(found) <= set(has)] for m, has in models.items()}
    for what, lost in {
        "no structure fits model": [m for m, fits in fitting.items() if not fits],
        "no model has the elements of": [s for s in structures if not any(s in fits for fits in fitting.values())],
    }.items():
        if lost:
            raise ValueError(f"{what} {', '.join(lost)}")
    chosen: dict[str, list[str]] = {m: [] for m in models}
    taken: Counter[str] = Counter()
    for model, fits in fitting.items():
        for structure in sorted(fits, key=lambda s: taken[s])[:STRUCTURES_EACH]:
            chosen[model].append(structure)
            taken[structure] += 1
    for structure in structures:
        free = sorted((m for m, fits in fitting.items() if structure in fits and structure not in chosen[m]), key=lambda m: len(chosen[m]))
        for model in free[: max(0, MODELS_EACH - taken[structure])]:
            chosen[model].append(structure)
    return chosen
