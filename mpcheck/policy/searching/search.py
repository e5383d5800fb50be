"""The fastest policy within a budget: searched over predicted errors and measured costs, then measured end to end before it is returned.

Errors of families of blocks add up in quadrature (:mod:`mpcheck.policy.noise.prediction`) and so do, less exactly, the seconds that they save.
So the choice of one format for each family is a knapsack with two constraints, whose optimum an integer program finds. What the prediction
says of the whole policy then decides, and at last the measurement: nothing is returned that was measured beyond the budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import optimize

from mpcheck._errors import InputError
from mpcheck.formats import Compute
from mpcheck.policy.accuracy import Budget
from mpcheck.policy.families import Family, assembled
from mpcheck.policy.rules import Policy, builtin

Errors = Callable[[Policy], tuple[float, float]]
"""Errors of a policy: energy in meV/atom, forces in meV/Å."""
TIGHTER = (1.0, 0.5, 0.25, 0.1, 0.03)
"""Parts of the budget that are searched as well, so that there is something to fall back on where a prediction was too low."""
DOUBT = 2.5
"""How often the budget a built-in policy may be predicted to take and still be measured: predictions are at most that much too high."""
PENALTY = 1e-4
"""Of the base's seconds, for each family that leaves the base: what gains nothing is left alone."""
REPAIRS = 12
SEARCHED = "searched"


@dataclass(frozen=True)
class Costs:
    """What formats cost in time.

    Attributes:
        base: everything's format; seconds: of a call in it. saved: seconds less (positive: faster) where one family runs in another format,
            by family's name and format; what could not be measured is missing.
    """

    base: Compute
    seconds: float
    saved: Mapping[str, Mapping[Compute, float]]


@dataclass(frozen=True)
class Ranked:
    """A policy with what is expected of it.

    Attributes:
        seconds: of a call. energy, force: predicted errors, meV/atom and meV/Å; NaN where none could be predicted.
        builtin: whether it has a name of its own.
    """

    policy: Policy
    seconds: float
    energy: float
    force: float
    builtin: bool = False


@dataclass(frozen=True)
class Refused:
    """A candidate that was measured and not taken.

    Attributes:
        energy, force: measured errors; NaN where it could not run. reason: in words.
    """

    candidate: Ranked
    energy: float
    force: float
    reason: str


@dataclass(frozen=True)
class Choice:
    """What a search ends with.

    Attributes:
        chosen: None where nothing is within the budget. energy, force: its measured errors. refused: what was tried before, in that order.
    """

    chosen: Ranked | None
    energy: float = math.nan
    force: float = math.nan
    refused: tuple[Refused, ...] = field(default=())


def search(
    families: Sequence[Family],
    formats: Sequence[Compute],
    errors: Errors,
    costs: Sequence[Costs],
    budget: Budget,
    named: Mapping[str, tuple[Policy, float]] | None = None,
) -> list[Ranked]:
    """Candidates, the fastest first: what the integer program finds for each base, fall-backs, and policies that have a name.

    Args:
        errors: predicted. costs: of each base that is searched from. named: built-in policies and seconds of a call in each.

    Raises:
        InputError: no costs.
    """
    if not costs:
        raise InputError("a search needs the seconds of one base at least")
    found: dict[tuple[str, ...], Ranked] = {}
    for policy, seconds in (named or {}).values():
        energy, force = errors(policy)
        known = not math.isnan(energy + force)
        if not known or budget.share(energy, force) <= DOUBT:
            found[_key(policy)] = Ranked(policy, seconds, energy, force, builtin=True)
    for one in costs:
        knapsack = Knapsack(families, formats, errors, one)
        for candidate in knapsack.candidates(budget):
            found.setdefault(_key(candidate.policy), candidate)
    ordered = sorted(found.values(), key=lambda r: (r.seconds, budget.share(r.energy, r.force)))
    return [r if r.builtin else replace(r, policy=_called(r.policy, f"{SEARCHED}-{place}")) for place, r in enumerate(ordered, 1)]


def _called(policy: Policy, name: str) -> Policy:
    """A policy that was found under a name; one that is a built-in one, as that."""
    known = builtin().get(policy.base)
    return known if known is not None and _key(known) == _key(policy) else policy.model_copy(update={"name": name})


def _key(policy: Policy) -> tuple[str, ...]:
    """What a policy is, whatever its name."""
    return tuple(policy.model_dump_json(exclude={"name", "title"}).split())


class Knapsack:
    """The choice of a format for each family over one base."""

    def __init__(self, families: Sequence[Family], formats: Sequence[Compute], errors: Errors, costs: Costs) -> None:
        self.families, self.errors, self.costs = list(families), errors, costs
        self.formats = [[costs.base, *(f for f in formats if f != costs.base and f in costs.saved.get(x.name, {}))] for x in self.families]
        self.floor = np.square(errors(assembled("base", costs.base, {})))
        self.options = [(i, fmt) for i, own in enumerate(self.formats) for fmt in own]
        self.squares = np.array([self._alone(i, fmt) for i, fmt in self.options]).reshape(-1, 2)
        self.saved = np.array([self._saved(i, fmt) for i, fmt in self.options])

    def _alone(self, place: int, fmt: Compute) -> np.ndarray:
        """What one family adds to the squares of both errors; infinite or NaN where it cannot be predicted."""
        if fmt == self.costs.base:
            return np.zeros(2)
        added: np.ndarray = np.square(self.errors(assembled("alone", self.costs.base, {self.families[place]: fmt}))) - self.floor
        return added

    def _saved(self, place: int, fmt: Compute) -> float:
        return 0.0 if fmt == self.costs.base else self.costs.saved[self.families[place].name][fmt]

    def candidates(self, budget: Budget) -> list[Ranked]:
        """The optimum; that of smaller budgets; and, for each family that it lowers, the optimum in which that one stays in the base."""
        made = [self.best(budget, part) for part in TIGHTER]
        first = made[0] or {}
        made += [self.best(budget, 1.0, kept) for kept, fmt in first.items() if fmt != self.costs.base]
        made.append({})
        different = {_key(r.policy): r for r in (self._ranked(chosen) for chosen in made if chosen is not None)}
        return [r for r in different.values() if budget.allows(r.energy, r.force)]

    def _ranked(self, chosen: Mapping[Family, Compute]) -> Ranked:
        policy = assembled("found", self.costs.base, chosen)
        saved = sum(self.costs.saved[f.name][fmt] for f, fmt in chosen.items() if fmt != self.costs.base)
        return Ranked(policy, self.costs.seconds - saved, *self.errors(policy))

    def best(self, budget: Budget, part: float = 1.0, kept: Family | None = None) -> dict[Family, Compute] | None:
        """The fastest choice that is predicted within part of a budget; None where there is none.

        Args:
            kept: a family that stays in the base.

        Where errors do not add up in quadrature quite, what the optimum was predicted to add is held to less, until the prediction of the
        whole policy agrees.
        """
        allowed = Budget(budget.energy_meV_per_atom * part, budget.force_meV_per_A * part)
        tighter = 1.0
        for _ in range(REPAIRS):
            chosen = self._program(allowed, tighter, kept)
            if chosen is None:
                return None
            share = allowed.share(*self.errors(assembled("tried", self.costs.base, chosen)))
            if share <= 1.0:
                return chosen
            tighter *= min(1 - 1e-9, 1 / share) ** 2 if math.isfinite(share) else 0.25
        return None

    def _program(self, allowed: Budget, tighter: float, kept: Family | None) -> dict[Family, Compute] | None:
        """The integer program: each family has one format, squares of errors stay below the budget's, seconds are as few as can be."""
        limits = np.square([allowed.energy_meV_per_atom, allowed.force_meV_per_A])
        bounded = np.isfinite(limits)
        room = limits[bounded] * tighter - self.floor[bounded]
        usable = np.isfinite(self.squares).all(axis=1) & np.isfinite(self.saved)
        if kept is not None:
            usable &= np.array([self.families[i] != kept or fmt == self.costs.base for i, fmt in self.options])
        if not np.isfinite(self.floor).all() or not self.options:
            return {} if not self.options and bool((room >= 0).all()) else None
        one = np.array([[float(i == place) for i, _ in self.options] for place in range(len(self.families))])
        squares = np.where(usable[:, None], self.squares, 0.0)[:, bounded].T
        scale = limits[bounded][:, None]
        rules = [optimize.LinearConstraint(one, 1, 1)]
        if bounded.any():
            rules.append(optimize.LinearConstraint(squares / scale, -np.inf, room / scale[:, 0]))
        lowered = np.array([fmt != self.costs.base for _, fmt in self.options])
        price = np.where(usable, PENALTY * lowered - self.saved / self.costs.seconds, 0.0)
        solved = optimize.milp(
            price, constraints=rules, integrality=np.ones(len(price)), bounds=optimize.Bounds(0, usable.astype(float)), options={"mip_rel_gap": 0.0}
        )
        if solved.x is None:
            return None
        return {self.families[i]: fmt for (i, fmt), taken in zip(self.options, solved.x, strict=True) if taken > 0.5}


def verified(candidates: Sequence[Ranked], measure: Errors, budget: Budget, progress: Callable[[str], None] = lambda _: None) -> Choice:
    """The first candidate whose measured errors are within the budget.

    Args:
        candidates: the fastest first. measure: runs a policy end to end on the device; what it raises as InputError is why it cannot run there.
    """
    refused: list[Refused] = []
    for candidate in candidates:
        progress(f"measuring {candidate.policy.name}: {candidate.policy.title}")
        try:
            energy, force = measure(candidate.policy)
        except InputError as error:
            refused.append(Refused(candidate, math.nan, math.nan, str(error)))
            continue
        if budget.allows(energy, force):
            return Choice(candidate, energy, force, tuple(refused))
        refused.append(Refused(candidate, energy, force, f"measured {energy:.3g} meV/atom and {force:.3g} meV/Å, {budget} allowed"))
    return Choice(None, refused=tuple(refused))
