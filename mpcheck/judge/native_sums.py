"""Sums whose error is that of adding equal terms one after another in the format itself.

Adding the same number to partial sums of one binade errs by the same amount each time, so that such a sum is off in proportion to the
number of terms and not to its root. Upstream adds this way: the code computes what it says, and the error is that of what it says. It is
told apart from any other by doing the same addition here: a result that is wrong otherwise, by a lost term or a rounding to fewer digits,
is not explained by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch

from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.steps import step_kind
from mpcheck.formats import Format
from mpcheck.judge.element_names import ElementNames
from mpcheck.judge.metrics import compare
from mpcheck.judge.scale import noise_scale
from mpcheck.judge.tolerances import RatioLimits
from mpcheck.reference.library import BlockReference

EQUAL_TERMS: Literal["equal terms in native order"] = "equal terms in native order"
"""The cause of a failure, as a record names it and an entry of the known faults asks for it."""
OCCURS = 2.0
"""How often a term must occur, on average, to be called equal to others."""
SUMS = ("scatter", "energy_sum")
_ADDED = (torch.float64, torch.float32, torch.float16)


def in_native_order(terms: torch.Tensor, index: torch.Tensor, rows: int) -> torch.Tensor | None:
    """Sums of rows of ``terms`` [n, ...] into ``rows`` rows by ``index`` [n], one after another in the terms' own type, each addition rounded.

    None of a type in which this is not done on the host, and of terms whose indices are not one a row.
    """
    place = index if index.dim() == 1 else index.reshape(len(index), -1)[:, 0] if len(index) else index.reshape(-1)
    if terms.dtype not in _ADDED or len(place) != len(terms):
        return None
    values, where = terms.detach().cpu().numpy(), place.cpu().numpy()
    total = np.zeros((rows, *values.shape[1:]), dtype=values.dtype)
    for row in np.unique(where):
        total[row] = np.add.accumulate(values[where == row], axis=0)[-1]  # in its own type, in order; numpy's sum is pairwise
    return torch.from_numpy(total)


def occurrences(terms: torch.Tensor) -> float:
    """How often a row of terms occurs on average."""
    if not len(terms):
        return 0.0
    rows = terms.reshape(len(terms), -1)
    # numbers are sorted as such: as rows of one, a million takes fifty times as long
    different = torch.unique(rows[:, 0]) if rows.shape[1] == 1 else torch.unique(rows, dim=0)
    return len(rows) / max(1, len(different))


def native(fmt: Format, device: str) -> bool:
    """Whether the partial sums of a scatter are kept in the format itself on a device."""
    roundoff = fmt.on(device)
    return roundoff["scatter"] == roundoff["operation"] > 0


def equal_terms(backend: BackendModel, reference: BlockReference, fmt: Format, low: Mapping[str, torch.Tensor], limits: RatioLimits) -> bool:
    """Whether a block's failed results are those of adding its equal terms one after another in the format.

    Args:
        low: results of the block in the format; limits: that they failed.
    """
    block = reference.block
    if not _adds(block) or not native(fmt, backend.device.type) or reference.skeleton.get("dim", 0) not in (0, -reference.inputs["src"].dim()):
        return False
    terms, value = reference.inputs["src"].to(fmt.storage), reference.values.get("out")
    if value is None or "out" not in low or low["out"].shape != value.shape or occurrences(terms) < OCCURS:
        return False
    added = in_native_order(terms, reference.inputs["index"], len(value))
    if added is None or added.shape != value.shape:
        return False
    scale = noise_scale(reference.noise["out"], reference.statistics["out"], backend.roundoff(block, fmt), value)
    expected = added.to(device=value.device, dtype=value.dtype)
    names = ElementNames(block.output_slot("out"), [], "row")
    return not compare("out", low["out"].to(value.device), expected, scale, fmt, limits, names).failures


def _adds(block: Block) -> bool:
    return block.kind == "step" and step_kind(block.name) in SUMS
