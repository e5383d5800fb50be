"""When to down-cast: for each block the lowest format that keeps the model within a budget, alone and beside all others, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mpcheck.adapters.blocks import Block
from mpcheck.formats import BF16, F16, F32, FORMATS, Compute
from mpcheck.policy.accuracy import Budget
from mpcheck.policy.assignment import assigned
from mpcheck.policy.families import literal
from mpcheck.policy.noise.prediction import Prediction, predicted
from mpcheck.policy.noise.sensitivity import Sensitivity
from mpcheck.policy.rules import Policy, Rule

LOWEST_FIRST: tuple[Compute, ...] = (BF16, F16)
"""Formats of single blocks below the base, the fewest significant bits first."""
Within = Callable[[str, Compute], bool | None]
"""Whether a block alone is within its own limit in a format, as the precision session judges it; None where nobody has looked."""


@dataclass(frozen=True)
class Try:
    """One block in one format, the rest in the base.

    Attributes:
        energy, force: predicted error of the model, meV/atom and meV/Å. allowed: whether it is within the budget and the block within its limit.
        reason: in words.
    """

    format: Compute
    energy: float
    force: float
    allowed: bool
    reason: str


@dataclass(frozen=True)
class Lowered:
    """How far a block may be lowered.

    Attributes:
        block, role: which one. alone: lowest format where this block alone is lowered, ``together``: where all are. tries: of every format below the
            base. *_reason: in words.
    """

    block: str
    role: str
    alone: Compute
    alone_reason: str
    together: Compute
    together_reason: str
    tries: tuple[Try, ...]

    def fields(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Downcast:
    """The table of a model.

    Attributes:
        rows: a leaf each, in the model's order. policy: with all blocks lowered together. energy, force: its predicted errors.
    """

    base: Compute
    budget: Budget
    rows: tuple[Lowered, ...]
    policy: Policy
    energy: float
    force: float


class _Model:
    """Predicted errors of policies over one base."""

    def __init__(self, sensitivity: Sensitivity, blocks: Sequence[Block], base: Compute, device: str) -> None:
        self.sensitivity, self.blocks, self.base, self.device = sensitivity, blocks, base, device
        self.floor = self.errors({})

    def policy(self, chosen: dict[str, Compute], name: str = "downcast") -> Policy:
        rules = [Rule(blocks=[literal(b) for b, own in chosen.items() if own == fmt], compute=fmt) for fmt in dict.fromkeys(chosen.values())]
        return Policy(name=name, title="every block in the lowest format that fits beside the others", base=self.base, rules=rules)

    def errors(self, chosen: dict[str, Compute]) -> tuple[float, float]:
        found = self.prediction(self.policy(chosen))
        return found.energy_rms, found.force_rms

    def prediction(self, policy: Policy) -> Prediction:
        return predicted(self.sensitivity, policy, assigned(policy, self.blocks), self.device)


def downcast(
    sensitivity: Sensitivity,
    blocks: Sequence[Block],
    budget: Budget,
    base: Compute = F32,
    formats: Sequence[Compute] = LOWEST_FIRST,
    within: Within = lambda block, fmt: None,
    device: str = "cpu",
) -> Downcast:
    """Which blocks may be lowered how far.

    Args:
        blocks: of the model, composites and steps too. base: of everything that is not lowered. formats: to be tried, the lowest first. within:
            whether a block alone is within its own limits.
    """
    model = _Model(sensitivity, blocks, base, device)
    leaves = [b for b in blocks if b.kind == "leaf" and b.module_path in sensitivity.subjects]
    tries = {b.module_path: tuple(_tries(model, b.module_path, budget, formats, within)) for b in leaves}
    chosen = _together(model, tries, budget)
    rows = [_row(b, tries[b.module_path], chosen, base, budget) for b in leaves]
    return Downcast(base, budget, tuple(rows), model.policy(chosen), *model.errors(chosen))


def _tries(model: _Model, block: str, budget: Budget, formats: Sequence[Compute], within: Within) -> Iterable[Try]:
    peak = model.sensitivity.subjects[block].peak_apart
    for fmt in formats:
        energy, force = model.errors({block: fmt})
        if peak > FORMATS[fmt].largest:
            yield Try(fmt, math.inf, math.inf, False, f"it holds {peak:.3g}, and {fmt} ends at {FORMATS[fmt].largest:.4g}")
        elif not budget.allows(energy, force):
            yield Try(fmt, energy, force, False, f"in {fmt} it alone would cost {_words(energy, force)}, and {budget} are allowed")
        elif within(block, fmt) is False:
            yield Try(
                fmt, energy, force, False, f"in {fmt} the block itself is beyond its limit, though the model would err by {_words(energy, force)}"
            )
        else:
            yield Try(fmt, energy, force, True, f"in {fmt} it costs {_words(energy, force)} of {budget}")


def _together(model: _Model, tries: dict[str, tuple[Try, ...]], budget: Budget) -> dict[str, Compute]:
    """Greedily, as long as all fit: every block one format down before any goes two, the cheapest first."""
    chosen: dict[str, Compute] = {}
    moves = [(-place, _square(t, model, budget), block, t.format) for block, own in tries.items() for place, t in enumerate(own) if t.allowed]
    for _, _, block, fmt in sorted(moves):
        if budget.allows(*model.errors({**chosen, block: fmt})):
            chosen[block] = fmt
    return {block: chosen[block] for block in tries if block in chosen}


def _square(one: Try, model: _Model, budget: Budget) -> float:
    """The larger share of the budget's squares that a block adds to the base's."""
    added = [max(0.0, e**2 - floor**2) for e, floor in zip((one.energy, one.force), model.floor, strict=True)]
    return budget.share(*map(math.sqrt, added))


def _row(block: Block, tries: tuple[Try, ...], chosen: dict[str, Compute], base: Compute, budget: Budget) -> Lowered:
    first = next((t for t in tries if t.allowed), None)
    alone: Compute = first.format if first is not None else base
    refused = next((t for t in reversed(tries) if not t.allowed), None)
    why = first.reason if first is not None else f"stays in {base}: {refused.reason}" if refused is not None else f"stays in {base}"
    if (below := next((t for t in tries if not t.allowed), None)) and first is not None and tries.index(below) < tries.index(first):
        why += f"; {below.reason}"
    together = chosen.get(block.module_path, base)
    if together == alone:
        beside = "as alone" if first is not None else why
    else:
        assert first is not None  # it could be lowered alone
        beside = f"stays in {together}: {_words(first.energy, first.force)} in {first.format} do not fit into {budget} beside the other blocks"
    return Lowered(block.module_path, block.role, alone, why, together, beside, tries)


def _words(energy: float, force: float) -> str:
    return f"{energy:.2g} meV/atom and {force:.2g} meV/Å"
