"""The table of number formats: what a format is, in one place.

A format is described by the unit roundoff of each *component* of a computation, because hardware rounds them apart: tf32
rounds the operands of matrix products to 11 significant bits and everything else to 24; autocast rounds matrix products
and leaves the rest; sums of 16-bit numbers are usually kept in float32. The unit roundoff of round-to-nearest with ``p``
significant bits is ``u = 2**-p`` (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import torch

from mpcheck._errors import InputError

Component = Literal["stored", "constant", "operand", "product", "operation", "inner", "scatter", "gather", "underflow", "converted"]
COMPONENTS: tuple[Component, ...] = (
    "stored", "constant", "operand", "product", "operation", "inner", "scatter", "gather", "underflow", "converted",
)  # fmt: skip
"""Where a computation rounds.

stored: inputs, cotangents, parameters and buffers · constant: numbers in the code, such as path normalisations · operand:
inputs of matrix products, rounded anew · product: results of matrix products · operation: results of all other operations ·
inner: what happens inside one operation: partial sums of products and reductions, steps of fused functions · scatter:
partial sums of scatter_add and index_add · gather: partial sums of index_put, the backward of indexing · underflow: the
absolute error of values below the normal range (Higham, eq. 2.8: ``fl(x) = x (1 + d) + e``), everywhere · converted:
parameters in another backend's parametrisation, where a converter changes it by a linear map.
"""

INNER: frozenset[Component] = frozenset({"inner", "scatter", "gather"})
WIDE = 2.0**-24  # roundoff of float32, in which 16-bit operations compute inside

Accumulation = Literal["wide", "native"]


@dataclass(frozen=True)
class Format:
    """A named number format.

    Attributes:
        name: as users type it.
        storage: torch dtype of stored tensors.
        roundoff: unit roundoff of each component; 0 where the component is not rounded.
        math: the type in which a backend that offers the choice computes inside a block.
        operand_bits: significant bits that operands of matrix products are rounded to, where that is not their storage.
        native: per device type, components whose partial sums torch keeps in the format itself, not in float32.
    """

    name: str
    storage: torch.dtype
    roundoff: Mapping[Component, float]
    math: torch.dtype
    operand_bits: int | None = None
    aliases: tuple[str, ...] = ()
    native: Mapping[str, frozenset[Component]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def largest(self) -> float:
        """Largest finite value."""
        return float(torch.finfo(self.storage).max)

    @property
    def smallest_normal(self) -> float:
        """Smallest positive normal value; below it a number has fewer significant bits than the format promises."""
        return float(torch.finfo(self.storage).smallest_normal)

    @property
    def u(self) -> float:
        """The largest unit roundoff of its components."""
        return max(u for c, u in self.roundoff.items() if c != "underflow")

    @property
    def accumulation(self) -> Accumulation:
        """`wide` where partial sums are kept more precisely than results, else `native`."""
        return "wide" if self.roundoff["inner"] < self.u else "native"

    def on(self, device: str) -> dict[Component, float]:
        """Roundoff of each component where torch computes on a device type."""
        return {**self.roundoff, **dict.fromkeys(self.native.get(device, ()), self.roundoff["operation"])}

    def rearranged(self, device: str, native_sums: bool) -> dict[Component, float]:
        """Roundoff of each component where a backend computes a block by other operations than the reference.

        What is an operand of a matrix product then differs, so every value is allowed the rounding of an operand; constants
        of the code may be tensors of the storage type; parameters may be stored after the converter's map.

        Args:
            native_sums: the backend adds up the terms of a block in the storage type.
        """
        found = self.on(device)
        found["constant"] = found["converted"] = found["stored"]
        found.update({c: max(found[c], self.roundoff["operand"]) for c in ("stored", "constant", "converted", "product", "operation")})
        if native_sums:
            found["inner"] = max(found["inner"], found["operation"])
        return found


def _uniform(name: str, storage: torch.dtype, bits: int, math: torch.dtype, *aliases: str) -> Format:
    u = 2.0**-bits
    wide = min(u, WIDE)
    # half of the smallest subnormal: float16's matters on values of order one, float32's and bfloat16's where an envelope or an
    # activation has taken everything to 1e-40; float64's is no number (see `noise_scale` for what is judged down there)
    underflow = u * float(torch.finfo(storage).smallest_normal)
    roundoff: dict[Component, float] = {
        "stored": u, "constant": wide, "operand": 0.0, "product": u, "operation": u, "inner": wide, "scatter": wide,
        "gather": wide, "underflow": underflow, "converted": 0.0,
    }  # fmt: skip
    # torch's CPU kernel of index_put(accumulate=True) adds element by element in the storage type; its CUDA kernels of
    # scatter_add and index_add use atomics of the storage type. (CPU scatter_add of rows keeps a float32 row.)
    native: dict[str, frozenset[Component]] = {"cpu": frozenset({"gather"}), "cuda": frozenset({"scatter"})} if u > WIDE else {}
    return Format(name, storage, MappingProxyType(roundoff), math, None, aliases, MappingProxyType(native))


_TF32: dict[Component, float] = {**dict.fromkeys(COMPONENTS, WIDE), "operand": 2.0**-11, "underflow": 2.0**-150, "converted": 0.0}

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        f.name: f
        for f in (
            _uniform("float64", torch.float64, 53, torch.float64, "fp64", "double"),
            _uniform("float32", torch.float32, 24, torch.float32, "fp32", "single", "float"),
            Format("tf32", torch.float32, MappingProxyType(_TF32), torch.float32, 11, ("tensorfloat32",)),
            _uniform("bfloat16", torch.bfloat16, 8, torch.float32, "bf16"),
            _uniform("float16", torch.float16, 11, torch.float32, "fp16", "half"),
        )
    }
)
"""All formats, widest first."""

_ALIASES = {alias: f.name for f in FORMATS.values() for alias in f.aliases}


def get_format(name: str) -> Format:
    """The format of a name or a common alias (``bf16``, ``fp16``, …).

    Raises:
        InputError: unknown name; lists the known ones.
    """
    found = FORMATS.get(_ALIASES.get(name.lower(), name.lower()))
    if found is None:
        raise InputError(f"unknown format {name!r}; choose from {', '.join(FORMATS)}")
    return found


def own_names(names: Sequence[str]) -> tuple[str, ...]:
    """Formats by their own names, each once: one has several.

    Raises:
        InputError: see :func:`get_format`.
    """
    return tuple(dict.fromkeys(get_format(name).name for name in names))
