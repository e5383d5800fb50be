"""Accumulate the deviations of Monte Carlo draws: RMS per element, and what each draw's error statistics looked like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from mpcheck.formats import Component

BEYOND = 2.0
"""How many times larger a mean square must be, of two that are known from a few draws of many elements, not to be so by chance."""
BEYOND_OF_AN_ELEMENT = 16.0
"""The same of one element's: the ratio of two sums of three squares exceeds it once in forty times, and in no pattern."""


class Moments:
    """Deviations of one tensor, by component."""

    def __init__(self, value: torch.Tensor, parts: Sequence[Any] = ()) -> None:
        """Args:
        value: the float64 value that deviations are taken from.
        parts: indices of those of its parts that are judged apart, as an irrep's channels are.
        """
        self.value = value
        self.sign = value.sign()
        self.parts = list(parts)
        self.kinds, self.distinct = _kinds(value)
        self.squares: dict[Component, torch.Tensor] = {}
        self.draws: dict[Component, list[list[float]]] = {}

    def add(self, component: Component, deviation: torch.Tensor) -> None:
        """One draw's deviation, in units of u."""
        if component not in self.squares:
            self.squares[component] = torch.zeros_like(self.value)
        self.squares[component].addcmul_(deviation, deviation)
        if deviation.numel():
            flat = deviation.reshape(-1)
            whole = torch.stack([flat.dot(flat), flat.sum(), flat.dot(self.sign.reshape(-1))]).div_(flat.numel())
            own = [deviation[part].square().mean() for part in self.parts]
            self.draws.setdefault(component, []).append([*whole.tolist(), *(torch.stack(own).nan_to_num_().tolist() if own else ())])

    def widened_by(self, other: Moments) -> None:
        """Take another's deviations where they are larger by more than chance: of all, of a part, or of single elements.

        Args:
            other: of the same value and parts, with as many draws of each of its components.
        """
        for component, rows in other.draws.items():
            if component not in self.draws or sum(row[0] for row in rows) > BEYOND * sum(row[0] for row in self.draws[component]):
                self.squares[component], self.draws[component] = other.squares[component], rows
                continue
            own, mine = self.draws[component], self.squares[component]
            taken = other.squares[component] > BEYOND_OF_AN_ELEMENT * mine
            for place, part in enumerate(self.parts, 3):
                if sum(row[place] for row in rows) > BEYOND * sum(row[place] for row in own):
                    taken[part] = True
                    own = [[*row[:place], wider[place], *row[place + 1 :]] for row, wider in zip(own, rows, strict=True)]
            self.squares[component], self.draws[component] = torch.where(taken, other.squares[component], mine), own

    def noise(self) -> dict[Component, torch.Tensor]:
        """RMS deviation per element, float32, for each component that moved anything."""
        noise: dict[Component, torch.Tensor] = {}
        for component, squares in self.squares.items():
            count = max(1, len(self.draws.get(component, ())))
            if bool((squares > 0).any()):
                noise[component] = (squares / count).sqrt().to(torch.float32)
        return noise

    def statistics(self, terms: int = 1) -> dict[str, Any]:
        """Per component: mean square, its relative spread between draws, its concentration, spread of the mean and of the signed mean.

        ``terms`` is how many numbers the longest sum adds up on the way to the value. ``parts`` holds the first three of each part.
        """
        by_component: dict[str, Any] = {}
        parts: list[dict[str, Any]] = [{} for _ in self.parts]
        for component, rows in self.draws.items():
            table = torch.tensor(rows, dtype=torch.float64)
            if float(table[:, 0].mean()) <= 0:
                continue
            squares = self.squares[component]
            by_component[component] = {
                "draws": len(rows),
                **_evenness(table[:, 0], squares, self.kinds, self.distinct),
                "bias": float(table[:, 1].square().mean().sqrt()),
                "signed_bias": float(table[:, 2].square().mean().sqrt()),
            }
            for place, (part, own) in enumerate(zip(self.parts, parts, strict=True)):
                if float(table[:, 3 + place].mean()) > 0:
                    own[component] = _evenness(table[:, 3 + place], squares[part], self.kinds[part], self.distinct)
        return {"components": by_component, "parts": parts, "distinct": self.distinct, "numel": self.value.numel(), "terms": terms}


def distinct(value: torch.Tensor) -> int:
    """Number of different magnitudes, to 40 bits: equal numbers round alike, so they are one piece of evidence."""
    return int(torch.unique(_rounded(value)).numel())


def _rounded(value: torch.Tensor) -> torch.Tensor:
    mantissa, exponent = torch.frexp(value.detach().abs().to(torch.float64))
    return torch.ldexp((mantissa * 2.0**40).round(), exponent)


def _kinds(value: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Of every element which of the different magnitudes it is, and how many there are."""
    if not value.numel():
        return torch.zeros(value.shape, dtype=torch.int32, device=value.device), 0
    found, inverse = torch.unique(_rounded(value), return_inverse=True)
    return inverse.to(torch.int32), int(found.numel())


def _evenness(by_draw: torch.Tensor, squares: torch.Tensor, kinds: torch.Tensor, count: int) -> dict[str, float]:
    """How large the mean square error is, and how far that of one sound result may lie from it.

    Args:
        by_draw: mean square of each draw.
        squares: of every element's deviations, added up over the draws.
        kinds: which of ``count`` different magnitudes each element is: equal ones err alike.

    Returns:
        ``mean_square``; ``spread``, its relative standard deviation between draws; ``concentration``, the root of the sum of the
        squared shares that each magnitude has in it: 1 where one magnitude decides, 1 / sqrt(n) where n do alike.
    """
    mean_square = float(by_draw.mean())
    weights = torch.zeros(count, dtype=torch.float64, device=squares.device).index_add_(0, kinds.reshape(-1), squares.reshape(-1).to(torch.float64))
    total = float(weights.sum())
    return {
        "mean_square": mean_square,
        "spread": float(by_draw.std(unbiased=True) / mean_square) if by_draw.numel() > 1 else 1.0,
        "concentration": math.sqrt(float((weights / total).square().sum())) if total > 0 else 1.0,
    }
