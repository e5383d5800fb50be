"""Whether a block's parameters and tables are what one rounding of their float64 values gives."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from mpcheck.adapters.backends.casting import tensors_of
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import Block
from mpcheck.formats import FORMATS, Format
from mpcheck.judge.operations.rounding import within_one_rounding
from mpcheck.judge.operations.watch import OperationWatch


@dataclass(frozen=True)
class Wrong:
    """A stored tensor that errs by more than one rounding.

    Attributes:
        name: of the parameter or buffer. largest: its largest error over the unit roundoff and the value.
    """

    name: str
    largest: float


class Stored:
    """A block's float64 tensors, and what becomes of them in a format."""

    def __init__(self, backend: BackendModel, block: Block, fmt: Format) -> None:
        """Args:
        backend: not yet prepared for the format.
        """
        self.module, self.fmt = backend.module(block), fmt
        self.exact = [] if self.module is None else [t.data if isinstance(t, torch.nn.Parameter) else t for t in tensors_of(self.module)]
        self.wrong: list[Wrong] = []

    @contextlib.contextmanager
    def watched(self, watch: OperationWatch) -> Iterator[None]:
        """The watch knows their float64 values; entered while the block is in the format."""
        now = [] if self.module is None else tensors_of(self.module)
        names = {id(t): n for kind in ("parameters", "buffers") for n, t in getattr(self.module, f"named_{kind}", lambda: ())()}
        self.wrong = []
        for place, (exact, low) in enumerate(zip(self.exact, now, strict=True)):
            if not low.is_floating_point() or exact.shape != low.shape or not low.numel():
                continue
            watch.give({low: exact})
            if worst := self._worst(exact.detach().to(torch.float64), low.detach()):
                self.wrong.append(Wrong(names.get(id(low), f"tensor {place} of the block"), worst))
        with watch:
            yield

    def _worst(self, exact: torch.Tensor, low: torch.Tensor) -> float:
        """The largest error in units of u, where it is more than one rounding."""
        own = FORMATS.get(str(low.dtype).removeprefix("torch."), self.fmt)
        u, least = min(own.roundoff["stored"], self.fmt.roundoff["stored"]), own.roundoff["underflow"]
        wide = low.to(torch.float64)
        judged = exact.abs() <= own.largest
        wide, exact = wide[judged], exact[judged]
        if within_one_rounding(wide, exact, u, least):
            return 0.0
        return float(((wide - exact).abs() / (u * exact.abs() + least)).max())
