"""What a reference is made for, and the key of its place in the cache."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from mpcheck._io import digest
from mpcheck.formats import Component

ALGORITHM = 5
"""Raise it when the noise model, the draws or the stored layout change: old cache entries are then left alone."""

DRAWS = 6
"""Draws of the components that carry most of the noise; the others get a fraction, see `draws_of`."""
UPSTREAM = ("torch", "mace-torch", "e3nn", "cuequivariance")


@dataclass(frozen=True)
class ReferenceSpec:
    """One (model, system): content digests, seed and number of Monte Carlo draws."""

    model: str
    system: str
    seed: int = 0
    draws: int = DRAWS
    device: str = "cpu"

    def versions(self) -> dict[str, str]:
        """Upstream versions that the float64 reference depends on."""
        found = {}
        for package in UPSTREAM:
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                found[package] = "none"
        return found

    @property
    def key(self) -> str:
        """Content key: equal inputs, equal key; 24 hexadecimal digits."""
        versions = ",".join(f"{k}={v}" for k, v in sorted(self.versions().items()))
        return digest(str(ALGORITHM), self.model, self.system, str(self.seed), str(self.draws), self.device, versions)[:24]


FEW_ELEMENTS = 8_000


def draws_of(component: Component, draws: int, elements: int, composite: bool) -> int:
    """Draws of one component of a block.

    All for components that dominate some format, half for those that matter in few blocks, a third for underflow, which
    matters only where a tensor is out of float16's range and is then judged by gross errors alone; three times as many for
    small blocks, where few elements must tell the scale and a draw costs a millisecond; half for composites, whose noise is
    made up of many more components and roundings than a leaf's (but for operands, which decide tf32 alone). What an element
    is judged by adds the draws of several components up: some 6 draws of each of 3 or 4 that matter.

    Args:
        elements: elements of all the block's outputs and gradients.
    """
    wanted = draws // 3 if component == "underflow" else draws // 2 if component in ("scatter", "gather") else draws
    if elements < FEW_ELEMENTS:
        return max(2, 3 * wanted)
    return max(2, wanted // 2 if composite and component != "operand" else wanted)
