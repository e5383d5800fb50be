"""Run plans: which pieces, in which order, and what upstream as it is says to the same checks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from mpcheck._unsupported import Unsupported
from mpcheck.records.environment import describe
from mpcheck.sessions.run import Session
from tests.faults.curves import blockwise, cells, golden_runs, physics_runs
from tests.faults.curves.plans import FORMATS, cell_items
from tests.faults.curves.records import Curves, Planting, Sound

SYSTEM = "builtin:water"


@dataclass(frozen=True)
class Effort:
    """How thinly each plan takes its families' magnitudes; 1 takes all.

    Attributes:
        cells, blockwise, golden, physics: every so many magnitudes. seeds: places of a fault of physics.
        blocks: names of leaf blocks; empty for all.
    """

    cells: int = 12
    blockwise: int = 40
    golden: int = 8
    physics: int = 3
    seeds: int = 2
    blocks: tuple[str, ...] = ()


FULL = Effort()
SMOKE = Effort(cells=24, blockwise=24, golden=400, physics=13, seeds=1, blocks=("interactions.1.linear", "interactions.1.scatter"))

Tally = Counter[tuple[str, str, bool]]
Progress = Callable[[str], None]


def measure_cells(session: Session, effort: Effort, seed: int, tally: Tally, progress: Progress) -> list[Planting]:
    """Plantings in blocks, by limits, arithmetic and drift; every cell without a fault once."""
    found: list[Planting] = []
    clean: cells.Sound | None = None
    last = None
    for item in cell_items(session, SYSTEM, effort.cells, seed, effort.blocks):
        if item.key != last:
            clean, last = cells.sound(session, item.key), item.key
            if clean is not None:
                red = {kind: cells.failing(clean.cell.quantities, kind == cells.PRECISION) for kind in (cells.LIMITS, cells.PRECISION)}
                tally.update((kind, item.key.format, bool(names)) for kind, names in red.items())
                again = cells.sound(session, item.key)
                assert again is not None
                tally[cells.DRIFT, item.key.format, bool(cells.moved(session, item.key, clean.cell, again.cell))] += 1
            progress(f"{item.key.block} {item.key.backend} {item.key.format}")
        if clean is not None:
            found.append(cells.run(session, item, clean))
    return found


def measure_blockwise(session: Session, effort: Effort, seed: int, tally: Tally, progress: Progress) -> list[Planting]:
    """Plantings in blocks, by equivariance, layout and accumulation."""
    found: list[Planting] = []
    clean: dict[object, cells.Sound | None] = {}
    asked: dict[tuple[str, object], list[bool]] = {}
    for one in blockwise.items(session, SYSTEM, effort.blockwise, seed, FORMATS, effort.blocks):
        key = one.item.key
        if key not in clean:
            clean = {key: cells.sound(session, key)}
            progress(f"{one.check} {key.block} {key.backend} {key.format}")
        sound = clean[key]
        if sound is None:
            continue
        if (one.check, key) not in asked:
            asked[one.check, key] = list(blockwise.judged(session, one))
            tally.update((one.check, key.format, red) for red in asked[one.check, key])
        if asked[one.check, key]:
            found.append(blockwise.run(session, one, sound))
    return found


def measure_whole(session: Session, effort: Effort, seed: int, tally: Tally, progress: Progress) -> list[Planting]:
    """Plantings in the whole model, by golden values and physics."""
    runs = golden_runs.GoldenRuns(session, SYSTEM)
    tally[golden_runs.GOLDEN, "float64", bool(runs.red(runs.sound))] += 1
    found = []
    for item in golden_runs.golden_items(session, SYSTEM, effort.golden, seed):
        progress(f"golden {item.key.block} {item.family}")
        found.append(runs.run(item))
    physics = physics_runs.PropertyRuns(session, SYSTEM)
    backends = tuple(b for b in session.backend_names if not isinstance(session.backend(b), Unsupported)) if effort.seeds > 1 else ("e3nn",)
    for one in physics_runs.property_items(backends, effort.seeds, effort.physics):
        progress(f"physics {one.name} {one.backend}")
        found.append(physics.run(one))
    for (name, _), findings in physics.known.items():
        tally[f"physics: {name}", "float64", any(f.verdict == "fail" for f in findings)] += 1
    return found


def _document(session: Session, seed: int, tally: Tally, plantings: list[Planting], seconds: float) -> Curves:
    sound = [
        Sound(check=check, format=fmt, asked=tally[check, fmt, False] + tally[check, fmt, True], red=tally[check, fmt, True])
        for check, fmt in dict.fromkeys((c, f) for c, f, _ in tally)
    ]
    model = {"name": session.options.model, "digest": session.model.digest}
    return Curves(
        schema_version=1, environment=describe(str(session.device)), model=model, system=SYSTEM, seed=seed, sound=sound,
        plantings=list(plantings), seconds=round(seconds, 2),
    )  # fmt: skip


def measure_curves(
    session: Session, effort: Effort = FULL, seed: int = 0, progress: Progress = lambda _: None, keep: Callable[[Curves], None] = lambda _: None
) -> Curves:
    """Everything, on one core; the plans are lists of independent items.

    Args:
        keep: gets what there is after each part, so that a run that is cut off leaves what it measured.
    """
    began = time.perf_counter()
    tally: Tally = Counter()
    plantings: list[Planting] = []
    found = _document(session, seed, tally, plantings, 0.0)
    for part in (measure_cells, measure_whole, measure_blockwise):
        plantings += part(session, effort, seed, tally, progress)
        found = _document(session, seed, tally, plantings, time.perf_counter() - began)
        keep(found)
    return found
