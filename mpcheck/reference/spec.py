"""What a reference is made for, and the key of its place in the cache."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mpcheck._errors import InputError
from mpcheck._files.io import digest
from mpcheck.formats import Component

DRAWS = 6
"""Draws of the components that carry most of the noise; the others get a fraction, see `draws_of`."""
PINNED = "MPCHECK_REFERENCE_CODE"
"""Set by a gate alone: ``CODE:MODEL``, digests of the code whose references head is judged against, and of the model that it made."""


@dataclass(frozen=True)
class ReferenceSpec:
    """One (model, system) as one code makes it: content digests, seed and number of Monte Carlo draws.

    Attributes:
        code: see :class:`mpcheck.reference.code.Code`; by: its packages in words.
        source: digest of the file that the model was read from, where it was: what is in it beside tensors makes references, too.
        pinned: whether these are another code's references, which this process must never make.
        every_row: whether blocks are judged on all rows of a structure, however large; see :mod:`mpcheck.reference.sample`.
    """

    model: str
    system: str
    seed: int = 0
    draws: int = DRAWS
    device: str = "cpu"
    code: str = ""
    by: tuple[str, ...] = ()
    source: str = ""
    pinned: bool = False
    every_row: bool = False

    @property
    def key(self) -> str:
        """Content key: equal inputs, equal key; 24 hexadecimal digits."""
        return digest(
            self.code, self.model, self.source, self.system, str(self.seed), str(self.draws), self.device, *(["every row"] if self.every_row else [])
        )[:24]

    def of(self, environment: Mapping[str, str]) -> ReferenceSpec:
        """The references that a gate wants used in place of this process' own; its own where there is no gate.

        Raises:
            InputError: the variable is damaged.
        """
        text = environment.get(PINNED, "")
        if not text:
            return self
        code, separator, model = text.partition(":")
        if not separator or not re.fullmatch(r"[0-9a-f]*:[0-9a-f]*", text):
            raise InputError(f"variable {PINNED} is {text[:100]!r}; it is set by `mpcheck gate` alone, unset it")
        return replace(self, code=code, model=model, by=(), pinned=True)


FEW_KINDS = 8_000


def draws_of(component: Component, draws: int, kinds: int, composite: bool) -> int:
    """Draws of one component of a block.

    All for components that dominate some format, half for those that matter in few blocks, a third for underflow, which
    matters only where a tensor is out of float16's range and is then judged by gross errors alone. Three times as many for
    blocks of few different numbers, those of small systems and of crystals whose atoms have equal surroundings: these few must
    tell the scale, and one draw may have most of it (a body-centred crystal's gradient was at 2.7 of its scale by 3 draws, at
    1.9 by 48). Half for composites, whose noise is made up of many more components and roundings than a leaf's (but for
    operands, which decide tf32 alone). What an element is judged by adds the draws of several components up: some 6 draws of
    each of 3 or 4 that matter.

    Args:
        kinds: different magnitudes in all the block's outputs and gradients.
    """
    wanted = draws // 3 if component == "underflow" else draws // 2 if component in ("scatter", "gather") else draws
    if kinds < FEW_KINDS:
        return max(2, 3 * wanted)
    return max(2, wanted // 2 if composite and component != "operand" else wanted)
