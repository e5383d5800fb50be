"""Ways to run a backend that promise more speed, as a part of its name: ``e3nn+compile`` is ``e3nn`` by ``torch.compile``."""

from __future__ import annotations

from collections.abc import Collection

from mpcheck._errors import InputError
from mpcheck._text import near

SCRIPT, COMPILE, STRICT, CUDAGRAPH = VARIANTS = ("script", "compile", "compile-strict", "cudagraph")
"""TorchScript; torch.compile by the recipe of upstream's calculator; the same with the roundings of code that is not compiled; a CUDA graph."""
PLUS = "+"


def parted(name: str, known: Collection[str]) -> tuple[str, str]:
    """A backend's name and the variant that it is to run in, which is empty where there is none.

    Args:
        known: backends. One whose own name has a plus in it is taken as it is.

    Raises:
        InputError: unknown backend or variant; lists the known ones.
    """
    base, _, variant = ("", "", "") if name in known else name.rpartition(PLUS)
    if not base:
        if name not in known:
            raise InputError(f"unknown backend {name!r}{near(name, known)}; choose from {', '.join(known)}, each also with +{', +'.join(VARIANTS)}")
        return name, ""
    if base not in known:
        raise InputError(f"unknown backend {base!r}{near(base, known)} in {name!r}; choose from {', '.join(known)}")
    if variant not in VARIANTS:
        raise InputError(f"unknown variant {PLUS + variant!r}{near(variant, VARIANTS)} of backend {base}; choose from +{', +'.join(VARIANTS)}")
    return base, variant


def is_variant(name: str, known: Collection[str]) -> bool:
    """Whether it is the name of a known backend in a known variant."""
    base, _, variant = name.rpartition(PLUS)
    return name not in known and base in known and variant in VARIANTS
