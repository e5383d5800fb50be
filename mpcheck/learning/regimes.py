"""Ways to train in lower precision, by name: what is stored, what is computed, and what is done against underflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mpcheck._errors import InputError
from mpcheck._text import near
from mpcheck.formats import BF16, F16, F32, F64, Autocast, Format, Interface, get_format


@dataclass(frozen=True)
class Regime:
    """One way to train.

    Attributes:
        name: as users type it. title: in words.
        base: type of everything that is not lowered.
        autocast: type that ``torch.autocast`` takes products to, around the whole model; empty for none.
        linear: type that linear layers compute in; empty for the base's. master: whether their weights are kept in the base's type, and
            rounded at every call; without, the weights and what the optimiser knows of them are in 16 bits themselves.
        scaled: whether the loss is scaled (Micikevicius et al. 2018, arXiv:1710.03740), dynamically, as ``torch.amp.GradScaler`` does it.
        cost: time of a step beside float32's, measured on a CPU; for estimates.
    """

    name: str
    title: str
    base: Interface
    autocast: Autocast = ""
    linear: Autocast = ""
    master: bool = True
    scaled: bool = False
    cost: float = 1.0

    @property
    def lowest(self) -> Format:
        """The narrowest format in it."""
        return get_format(self.autocast or self.linear or self.base)

    @property
    def weights_in_16_bits(self) -> bool:
        """Whether weights of linear layers are stored in 16 bits."""
        return bool(self.linear) and not self.master


_KNOWN = (
    Regime(F64, "everything in float64", F64, cost=1.1),
    Regime(F32, "everything in float32", F32),
    Regime("float32+amp-bf16", "float32 under autocast to bfloat16", F32, autocast=BF16, cost=1.6),
    Regime("float32+amp-fp16", "float32 under autocast to float16, loss scaled", F32, autocast=F16, scaled=True, cost=1.6),
    Regime("half-linear-bf16+master", "linear layers in bfloat16, their weights kept in float32", F32, linear=BF16, cost=1.3),
    Regime("half-linear-fp16+master", "linear layers in float16, their weights kept in float32, loss scaled", F32, linear=F16, scaled=True, cost=1.3),
    Regime("half-linear-bf16", "linear layers and their weights in bfloat16", F32, linear=BF16, master=False, cost=1.3),
    Regime("half-linear-fp16", "linear layers and their weights in float16", F32, linear=F16, master=False, cost=1.3),
)
REGIMES: Mapping[str, Regime] = MappingProxyType({one.name: one for one in _KNOWN})
"""All of them. torch's loss scaling refuses gradients in float16, so that weights in float16 are trained without."""
REFERENCE: Final = F64
"""The regime that the others are compared with."""
PLAIN: Final = F32
"""The one that must be as good as the reference."""
DEFAULT = (F64, F32, "float32+amp-bf16", "float32+amp-fp16", "half-linear-bf16+master", "half-linear-fp16+master")
"""What is trained where the user names none."""


def regimes(names: Sequence[str]) -> tuple[str, ...]:
    """Names of regimes, each once, the reference first.

    Raises:
        InputError: an unknown one; lists those that there are.
    """
    for name in names:
        if name not in REGIMES:
            raise InputError(f"unknown regime {name!r}{near(name, REGIMES)}; choose from {', '.join(REGIMES)}")
    return tuple(dict.fromkeys((REFERENCE, *names)))
