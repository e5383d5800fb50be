"""Plantings that other checks of blocks are asked about: equivariance, layout, accumulation."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.layout import Layout, misread
from mpcheck.checks.audit.observing import forget
from mpcheck.checks.audit.partial_sums import growth
from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.judge.context import Key
from mpcheck.judge.replay import FORWARD
from mpcheck.records.record import Record
from mpcheck.reference.noise import seed_of
from mpcheck.sessions.run import Session
from tests import inspections
from tests.faults.curves import cells, places
from tests.faults.curves.families import FAMILIES, Item, irreps_of, planted
from tests.faults.curves.records import LARGEST, Planting

Fault = Callable[[], contextlib.AbstractContextManager[None]]
EQUIVARIANCE, LAYOUT, ACCUMULATION = "equivariance", "layout", "accumulation"
SUITES: dict[str, str] = {EQUIVARIANCE: "symmetry", LAYOUT: "symmetry", ACCUMULATION: "audit"}
BREAKING = ("components turned", "element wrong", "table wrong")
"""Families that a rotation shows where a result has more than scalars; what scales whole irreps is equivariant, and sound to this check."""
SHARES = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
MISREAD = "rows in the other layout"


@dataclass(frozen=True)
class BlockItem:
    """One planting in a block, and the check that is asked about it."""

    check: str
    item: Item


def _misread(session: Session, item: Item) -> contextlib.AbstractContextManager[None]:
    """A share of a block's rows, one at least, leaves in another order of memory: converted once too often, or not at all."""
    slot = places.block_of(session, item.key).output_slot("out")
    layout: Layout = "ir_mul" if places.layout_of(session, item.key) == "ir_mul" else "mul_ir"

    def change(x: torch.Tensor) -> torch.Tensor:
        count = max(1, round(item.magnitude * x.shape[0]))
        generator = torch.Generator().manual_seed(item.seed)
        rows = torch.randperm(x.shape[0], generator=generator)[:count]
        found = x.clone()
        found[rows] = misread(x[rows], slot, layout)
        return found

    return places.result(session, item.key, change)


def items(session: Session, system: str, thinning: int, seed: int, formats: Sequence[str], only: Sequence[str] = ()) -> list[BlockItem]:
    """Independent plantings, block by block.

    Args:
        thinning: every so many magnitudes. only: names of blocks; empty for all leaf blocks.
    """
    found = []
    for block in session.library(system).blocks():
        if block.kind == "composite" or (only and block.name not in only):
            continue
        for backend in session.backend_names:
            if isinstance(session.backend(backend), Unsupported):
                continue
            for fmt in formats:
                key = CellKey(system, block.name, backend, fmt, FORWARD)
                chance = seed_of("blockwise", seed, block.name, backend, fmt)
                turning = [mul for degree, _, mul in irreps_of(session, key) if degree > 0]
                wanted = [(EQUIVARIANCE, f) for f in BREAKING if turning and FAMILIES[f].fits(session, key)]
                wanted += [(ACCUMULATION, "partial sums rounded")] if _sums(session, key) else []
                wanted += [(LAYOUT, MISREAD)] if any(mul > 1 for mul in turning) else []
                for check, family in wanted:
                    grid = SHARES if family == MISREAD else FAMILIES[family].grid(fmt)
                    thin = max(1, thinning // 4) if check == ACCUMULATION else thinning
                    found += [BlockItem(check, Item(family, key, m, (chance + i) % 2**16)) for i, m in enumerate(grid) if (i + chance) % thin == 0]
    return found


def _sums(session: Session, key: CellKey) -> bool:
    block = places.block_of(session, key)
    fits = FAMILIES["partial sums rounded"].fits(session, key)
    return fits and key.format in ("bfloat16", "float16") and block.role in ("linear", "radial MLP")


def _fault(session: Session, item: Item) -> Fault:
    return lambda: _misread(session, item) if item.family == MISREAD else planted(session, item)


def ask(session: Session, check: str, key: CellKey) -> Record:
    """One check of the symmetry or audit session on one block; the worst finding where there are several."""
    view = copy.copy(session)  # shares all that is built
    view.formats = [get_format(key.format)]
    if check == ACCUMULATION:
        forget(view)
        growth.cache_clear()
    fmt = key.format if check != EQUIVARIANCE else ""
    found = inspections.run(SUITES[check], view, Key(check, key.block, key.backend, fmt, key.system))
    return min(found, key=lambda f: (f.verdict != "fail", f.verdict != "pass"))


def run(session: Session, planting: BlockItem, clean: cells.Sound) -> Planting:
    """One planting; its size is measured by a replay."""
    item, key = planting.item, planting.item.key
    fault = _fault(session, item)
    with fault():
        low, _ = cells.replayed(session, key)
        found = ask(session, planting.check, key)
    changed = cells.sizes(clean.low, low, clean.scales)
    size, peak = max(changed.values(), default=(0.0, 0.0))
    return Planting(
        family=item.family, subject=key.block, backend=key.backend, format=get_format(key.format).name, direction=key.direction,
        magnitude=item.magnitude, size=min(size, LARGEST), peak=min(peak, LARGEST), asked=[planting.check],
        seen=[planting.check] if found.verdict == "fail" else [], named=found.subject == key.block,
    )  # fmt: skip


def judged(session: Session, planting: BlockItem) -> Iterator[bool]:
    """Whether the check turns red without the fault; nothing where it cannot conclude."""
    found = ask(session, planting.check, planting.item.key)
    if found.verdict in ("pass", "fail"):
        yield found.verdict == "fail"


__all__ = ["ACCUMULATION", "EQUIVARIANCE", "LAYOUT", "BlockItem", "ask", "items", "judged", "run"]
