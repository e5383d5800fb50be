"""The table of number formats: what a format is, in one place.

A format is described by the unit roundoff of each *component* of a computation, because hardware rounds them apart: tf32
rounds the operands of matrix products to 11 significant bits and everything else to 24; autocast rounds matrix products
and leaves the rest; sums of 16-bit numbers are usually kept in float32. The unit roundoff of round-to-nearest with ``p``
significant bits is ``u = 2**-p`` (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 2.1).

Formats are named here and nowhere else: other modules say ``FLOAT64`` or ``FLOAT64.name``. Torch is imported where a format is asked for
its types, so that what only reads records does not need it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from mpcheck._errors import InputError
from mpcheck._text import near

if TYPE_CHECKING:
    import torch

F64: Final = "float64"
F32: Final = "float32"
BF16: Final = "bfloat16"
F16: Final = "float16"
Storage = Literal["float64", "float32", "bfloat16", "float16", "float8_e4m3fn", "int8"]
"""What weights are stored in."""
Compute = Literal["float64", "float32", "tf32", "bfloat16", "float16"]
"""What operations are computed in, and sums are kept in."""
Interface = Literal["float64", "float32", "bfloat16", "float16"]
"""What a block returns."""
Autocast = Literal["", "bfloat16", "float16"]
"""What matrix products are cast to; empty for nothing."""
PACKED: tuple[Storage, ...] = ("float8_e4m3fn", "int8")
"""Types that weights are stored in, and nothing is computed in."""
NARROW: tuple[Literal["bfloat16", "float16"], ...] = (BF16, F16)
"""Types of 16 bits."""

Component = Literal[
    "stored", "constant", "operand", "product", "operation", "inner", "scatter", "gather", "underflow", "flush", "converted", "result",
]  # fmt: skip
COMPONENTS: tuple[Component, ...] = (
    "stored", "constant", "operand", "product", "operation", "inner", "scatter", "gather", "underflow", "converted",
)  # fmt: skip
"""Where a computation rounds; each has Monte Carlo draws of its own.

stored: inputs, cotangents, parameters and buffers · constant: numbers in the code, such as path normalisations · operand:
inputs of matrix products, rounded anew · product: results of matrix products · operation: results of all other operations ·
inner: what happens inside one operation: partial sums of products and reductions, steps of fused functions · scatter:
partial sums of scatter_add and index_add · gather: partial sums of index_put, the backward of indexing · underflow: the
absolute error of values below the normal range (Higham, eq. 2.8: ``fl(x) = x (1 + d) + e``), everywhere · flush: the same where
hardware takes such values for zero, term by term, which is no component of its own but a larger underflow · converted:
parameters in another backend's parametrisation, where a converter changes it by a linear map · result: what comes out, once more, where
a backend multiplies it by a number of its own that e3nn's code has not; it needs no draws, for it is the value's size.
"""

INNER: frozenset[Component] = frozenset({"inner", "scatter", "gather"})
WIDE = 2.0**-24  # roundoff of float32, in which 16-bit operations compute inside

Accumulation = Literal["wide", "native"]


@dataclass(frozen=True)
class Format:
    """A named number format.

    Attributes:
        name: as users type it.
        storage_type: torch's name of the type of stored tensors.
        roundoff: unit roundoff of each component; 0 where the component is not rounded.
        math_type: of the type in which a backend that offers the choice computes inside a block.
        operand_bits: significant bits that operands of matrix products are rounded to, where that is not their storage.
        native: per device type, components whose partial sums torch keeps in the format itself, not in float32.
    """

    name: str
    storage_type: str
    roundoff: Mapping[Component, float]
    math_type: str
    operand_bits: int | None = None
    aliases: tuple[str, ...] = ()
    native: Mapping[str, frozenset[Component]] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def storage(self) -> torch.dtype:
        """Type of stored tensors."""
        return _dtype(self.storage_type)

    @cached_property
    def math(self) -> torch.dtype:
        """Type in which a backend that offers the choice computes inside a block."""
        return _dtype(self.math_type)

    @property
    def largest(self) -> float:
        """Largest finite value."""
        import torch

        return torch.finfo(self.storage).max

    @property
    def smallest_normal(self) -> float:
        """Smallest positive normal value; below it a number has fewer significant bits than the format promises."""
        return SMALLEST_NORMAL[self.storage_type]

    @property
    def smallest(self) -> float:
        """Smallest positive value, a subnormal one; what is half of it or less rounds to zero."""
        return 2.0 * self.roundoff["stored"] * self.smallest_normal

    def emulated(self, device: str) -> bool:
        """Whether mpcheck rounds operands of matrix products itself, because a device type does not do it."""
        return self.operand_bits is not None and device == "cpu"

    @property
    def u(self) -> float:
        """The largest unit roundoff of its components."""
        return max(u for c, u in self.roundoff.items() if c not in ("underflow", "flush"))

    @property
    def accumulation(self) -> Accumulation:
        """`wide` where partial sums are kept more precisely than results, else `native`."""
        return "wide" if self.roundoff["inner"] < self.u else "native"

    def on(self, device: str) -> dict[Component, float]:
        """Roundoff of each component where torch computes on a device type."""
        return {**self.roundoff, **dict.fromkeys(self.native.get(device, ()), self.roundoff["operation"])}

    def rearranged(self, device: str, native_sums: bool, rescaled: bool = False) -> dict[Component, float]:
        """Roundoff of each component where a backend computes a block by other operations than the reference.

        What is an operand of a matrix product then differs, so every value is allowed the rounding of an operand; constants
        of the code may be tensors of the storage type; parameters may be stored after the converter's map.

        Args:
            native_sums: the backend adds up the terms of a block in the storage type.
            rescaled: it multiplies what it has computed by numbers of its own, as kernels do whose normalisation is another one: such a
                number, the kernel's own constant and their product are each rounded, u/sqrt(3) apiece.
        """
        roundoff = self.on(device)
        roundoff["constant"] = roundoff["converted"] = roundoff["stored"]
        roundoff.update({c: max(roundoff[c], self.roundoff["operand"]) for c in ("stored", "constant", "converted", "product", "operation")})
        if native_sums:
            roundoff["inner"] = max(roundoff["inner"], roundoff["operation"])
        if rescaled:
            roundoff["result"] = roundoff["operation"]
        return roundoff


def _dtype(name: str) -> torch.dtype:
    import torch

    dtype: torch.dtype = getattr(torch, name)
    return dtype


SMALLEST_NORMAL: Mapping[str, float] = MappingProxyType({F64: 2.0**-1022, F32: 2.0**-126, BF16: 2.0**-126, F16: 2.0**-14})
"""By torch's name of a type; ``torch.finfo`` has the same numbers."""


def _uniform(name: str, bits: int, math: str, *aliases: str) -> Format:
    u = 2.0**-bits
    wide = min(u, WIDE)
    # Hardware may take subnormal numbers for zero and flush such results, as AVX-512's products of bfloat16 do whatever torch is set to:
    # every term of a sum then errs by up to the smallest normal number. Of float16 no instruction does.
    #
    # half of the smallest subnormal: float16's matters on values of order one, float32's and bfloat16's where an envelope or an
    # activation has taken everything to 1e-40; float64's is no number (see `noise_scale` for what is judged down there)
    underflow = u * SMALLEST_NORMAL[name]
    roundoff: dict[Component, float] = {
        "stored": u, "constant": wide, "operand": 0.0, "product": u, "operation": u, "inner": wide, "scatter": wide,
        "gather": wide, "underflow": underflow, "flush": 0.0 if name == F16 else SMALLEST_NORMAL[name], "converted": 0.0,
    }  # fmt: skip
    # torch's CPU kernel of index_put(accumulate=True) adds element by element in the storage type; its CUDA kernels of
    # scatter_add and index_add use atomics of the storage type. (CPU scatter_add of rows keeps a float32 row.)
    native: dict[str, frozenset[Component]] = {"cpu": frozenset({"gather"}), "cuda": frozenset({"scatter"})} if u > WIDE else {}
    return Format(name, name, MappingProxyType(roundoff), math, None, aliases, MappingProxyType(native))


_TF32: dict[Component, float] = {**dict.fromkeys(COMPONENTS, WIDE), "operand": 2.0**-11, "underflow": 2.0**-150, "flush": 2.0**-126, "converted": 0.0}

FLOAT64 = _uniform(F64, 53, F64, "fp64", "double")
FLOAT32 = _uniform(F32, 24, F32, "fp32", "single", "float")
TF32_NAME: Final = "tf32"
TF32 = Format(TF32_NAME, F32, MappingProxyType(_TF32), F32, 11, ("tensorfloat32",))
BFLOAT16 = _uniform(BF16, 8, F32, "bf16")
FLOAT16 = _uniform(F16, 11, F32, "fp16", "half")
FORMATS: Mapping[str, Format] = MappingProxyType({f.name: f for f in (FLOAT64, FLOAT32, TF32, BFLOAT16, FLOAT16)})
"""All formats, widest first."""

_ALIASES = {alias: f.name for f in FORMATS.values() for alias in f.aliases}


def get_format(name: str) -> Format:
    """The format of a name or a common alias (``bf16``, ``fp16``, …).

    Raises:
        InputError: unknown name; lists the known ones.
    """
    fmt = FORMATS.get(_ALIASES.get(name.lower(), name.lower()))
    if fmt is None:
        raise InputError(f"unknown format {name!r}{near(name, FORMATS)}; choose from {', '.join(FORMATS)}")
    return fmt


def own_names(names: Sequence[str]) -> tuple[str, ...]:
    """Formats by their own names, each once: one has several.

    Raises:
        InputError: see :func:`get_format`.
    """
    return tuple(dict.fromkeys(get_format(name).name for name in names))
