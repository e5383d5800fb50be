"""Replays of a cell that is red: how often it is, and whether chance can be the reason.

A failure of a limit is final: no replay turns it green, and where some pass it is said in how many. Of drift alone one thing is
forgiven: where the order of a sum is a race (torch's CPU kernel of ``index_put`` adds float32 numbers with atomics as soon as there are
two threads; GPU kernels do elsewhere), the stored ratio is that of a few outcomes, and a rare one may lie beyond. Of 240 replays of the
five racing cells of the built-in model none did on an idle machine, one cell under load went from 0.53 to 0.76; a changed kernel drifts
in every replay. So a drift in quantities that race, and in less than half of all replays, is no failure. Anything else that comes and
goes on a machine that computes the same sum in the same order each time is a fault of its own, and stays red.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

import torch

from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.records.names import REFERENCE_BACKEND
from mpcheck.records.record import Cell

REPLAYS = 4  # of a red cell, besides the first


def races(key: CellKey, components: Container[str], device: str) -> bool:
    """Whether the order of the sums in a quantity may differ from call to call.

    Args:
        components: of the quantity's noise: ``gather`` where it is computed by way of index_put, ``scatter`` by scatter_add.
    """
    if device == "cpu":
        return torch.get_num_threads() > 1 and get_format(key.format).storage == torch.float32 and "gather" in components
    return key.backend != REFERENCE_BACKEND or "gather" in components or "scatter" in components  # another backend's kernels are not observed


def repeated(cell: Cell, replay: Callable[[], Cell]) -> list[Cell]:
    """The cell and its replays; the cell alone where the first replay gave the same bits."""
    first = replay()
    if _bits(first) == _bits(cell):
        return [cell]
    return [cell, first, *(replay() for _ in range(REPLAYS - 1))]


def _bits(cell: Cell) -> tuple[str, str, list[str]]:
    return cell.verdict, cell.reason, [q.digest for q in cell.quantities]


def failed(cell: Cell, every: Sequence[Cell]) -> Cell:
    """A cell that did not pass, with how often it did not where that differs."""
    red = sum(c.verdict != "pass" for c in every)
    if red == len(every):
        return cell
    return cell.model_copy(update={"reason": f"{cell.reason}; intermittent: {cell.verdict} in {red} of {len(every)} replays"})
