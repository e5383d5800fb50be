"""Round trips to the host that no operation shows: reads of a whole tensor, and copies to the CPU where a tensor is on one already.

On a GPU each of them waits until all that was asked of it is done. On a CPU ``numpy`` and ``tolist`` read memory in place and ``cpu``
gives back its argument, so that no dispatch mode sees them; the methods themselves are counted instead. Numbers that are read one by
one (``item``, ``bool``, ``int``), and results whose size the host must know (``nonzero``, masks, ``unique``), are operations everywhere:
:data:`mpcheck.bench.cost.operations.SYNCING`.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch

READS = ("numpy", "tolist", "cpu", "__dlpack__")
"""Methods that take a tensor to the host, wherever it is; ``numpy.asarray`` calls ``numpy``."""
MOVES = "to"
HOST = "cpu"


def _goes_to_host(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether ``to`` was told to go to the CPU by that name: a device taken from a tensor is not told apart from it on a CPU."""
    return any(isinstance(value, str) and value.partition(":")[0] == HOST for value in (*args[:1], kwargs.get("device")))


@contextlib.contextmanager
def counted_reads(counts: Counter[str]) -> Iterator[None]:
    """Count calls of the methods meanwhile, into ``counts`` by their name; the methods are put back."""

    def counting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if name != MOVES:
                counts[name] += 1
            elif _goes_to_host(args, kwargs):
                counts[HOST] += 1
            return original(self, *args, **kwargs)

        return call

    own = {name: vars(torch.Tensor)[name] for name in (*READS, MOVES) if name in vars(torch.Tensor)}
    try:
        for name in (*READS, MOVES):
            setattr(torch.Tensor, name, counting(name, getattr(torch.Tensor, name)))
        yield
    finally:
        for name in (*READS, MOVES):
            if name in own:
                setattr(torch.Tensor, name, own[name])
            elif name in vars(torch.Tensor):
                delattr(torch.Tensor, name)
