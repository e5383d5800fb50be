"""Accumulate the deviations of Monte Carlo draws: RMS per element, and what each draw's error statistics looked like."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.formats import Component


class Moments:
    """Deviations of one tensor, by component."""

    def __init__(self, value: torch.Tensor) -> None:
        """Args:
        value: the float64 value that deviations are taken from.
        """
        self.value = value
        self.sign = value.sign()
        self.squares: dict[Component, torch.Tensor] = {}
        self.draws: dict[Component, list[tuple[float, float, float]]] = {}

    def add(self, component: Component, deviation: torch.Tensor) -> None:
        """One draw's deviation, in units of u."""
        if component not in self.squares:
            self.squares[component] = torch.zeros_like(self.value)
        self.squares[component].addcmul_(deviation, deviation)
        if deviation.numel():
            flat = deviation.reshape(-1)
            row = torch.stack([flat.dot(flat), flat.sum(), flat.dot(self.sign.reshape(-1))]).div_(flat.numel()).tolist()
            self.draws.setdefault(component, []).append((row[0], row[1], row[2]))

    def enlarged(self, other: Moments) -> None:
        """Take another's deviations of each component where they are larger by more than chance: twice in square."""
        for component, rows in other.draws.items():
            own = [row[0] for row in self.draws.get(component, ())]
            if sum(row[0] for row in rows) / len(rows) > 2 * sum(own) / max(1, len(own)):
                self.squares[component], self.draws[component] = other.squares[component], rows

    def noise(self) -> dict[Component, torch.Tensor]:
        """RMS deviation per element, float32, for each component that moved anything."""
        noise: dict[Component, torch.Tensor] = {}
        for component, squares in self.squares.items():
            count = max(1, len(self.draws.get(component, ())))
            if bool((squares > 0).any()):
                noise[component] = (squares / count).sqrt().to(torch.float32)
        return noise

    def statistics(self, terms: int = 1) -> dict[str, Any]:
        """Per component: mean square, its relative spread between draws, spread of the mean and of the signed mean.

        ``terms`` is how many numbers the longest sum adds up on the way to the value.
        """
        by_component = {}
        for component, rows in self.draws.items():
            table = torch.tensor(rows, dtype=torch.float64)
            mean_square = float(table[:, 0].mean())
            if mean_square <= 0:
                continue
            by_component[component] = {
                "draws": len(rows),
                "mean_square": mean_square,
                "spread": float(table[:, 0].std(unbiased=True) / mean_square) if len(rows) > 1 else 1.0,
                "bias": float(table[:, 1].square().mean().sqrt()),
                "signed_bias": float(table[:, 2].square().mean().sqrt()),
            }
        return {"components": by_component, "distinct": distinct(self.value), "numel": self.value.numel(), "terms": terms}


def distinct(value: torch.Tensor) -> int:
    """Number of different magnitudes, to 40 bits: equal numbers round alike, so they are one piece of evidence."""
    magnitude = value.detach().abs().flatten().to(torch.float64)
    if magnitude.numel() == 0:
        return 0
    mantissa, exponent = torch.frexp(magnitude)
    return int(torch.unique(torch.ldexp((mantissa * 2.0**40).round(), exponent)).numel())
