"""The steps of a MACE model that are not modules upstream: edge vectors, message scatter, energy reduction, convolution.

A step calls upstream's own function, looked up at every call, so that a changed or faulty one is what gets checked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from mpcheck.adapters.blocks import Block
from mpcheck.adapters.slots import PLAIN, Slot
from mpcheck.adapters.upstream import mace

VECTOR = Slot("1x1o", "flat")


def edge_vectors(positions: torch.Tensor, edge_index: torch.Tensor, shifts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors [edges, 3] in Å and lengths [edges, 1] in Å."""
    vectors: tuple[torch.Tensor, torch.Tensor] = mace.modules.utils.get_edge_vectors_and_lengths(positions, edge_index, shifts)
    return vectors


def scatter(src: torch.Tensor, index: torch.Tensor, dim: int, dim_size: int) -> torch.Tensor:
    """Sum of the rows of ``src`` into ``dim_size`` rows: messages into atoms."""
    result: torch.Tensor = mace.modules.blocks.scatter_sum(src=src, index=index, dim=dim, dim_size=dim_size)
    return result


ENERGY_SUM = "energy_sum"


def energy_sum(src: torch.Tensor, index: torch.Tensor, dim: int, dim_size: int) -> torch.Tensor:
    """Sum over atoms into graphs: eV."""
    result: torch.Tensor = mace.modules.models.scatter_sum(src=src, index=index, dim=dim, dim_size=dim_size)
    return result


FUNCTIONS: Mapping[str, Callable[..., Any]] = {"edge_vectors": edge_vectors, "scatter": scatter, ENERGY_SUM: energy_sum}
_ROLES = {"edge_vectors": "edge vectors and lengths", "scatter": "message scatter", ENERGY_SUM: "energy reduction over atoms"}


def step_kind(name: str) -> str:
    """``scatter`` of ``interactions.0.scatter@2``."""
    return name.partition("@")[0].rpartition(".")[2]


def step_block(name: str, message: Slot = PLAIN) -> Block:
    """The Block of a step; ``message`` is the slot of what a scatter adds up."""
    kind = step_kind(name)
    if kind == "edge_vectors":
        return Block(name, "step", _ROLES[kind], "get_edge_vectors_and_lengths", {"positions": VECTOR, "shifts": VECTOR}, {"out.0": VECTOR}, 0)
    return Block(name, "step", _ROLES[kind], "scatter_sum", {"src": message}, {"out": message}, 0)


@contextlib.contextmanager
def recorded(record: Callable[[str, dict[str, Any], Callable[..., Any]], Any]) -> Iterator[None]:
    """Route upstream's step functions through ``record(kind, arguments, call)`` while the block runs.

    ``record`` must return ``call()``, or ``call(NAME=VALUE)`` to change arguments by name; the functions are put back afterwards.
    """
    originals = {
        (mace.modules.utils, "get_edge_vectors_and_lengths"): "edge_vectors",
        (mace.modules.blocks, "scatter_sum"): "scatter",
        (mace.modules.models, "scatter_sum"): ENERGY_SUM,
    }
    saved = {(owner, name): getattr(owner, name) for owner, name in originals}

    def wrapped(kind: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            def repeated(**changed: Any) -> Any:
                names = _PARAMETERS[kind]
                first = [changed.pop(names[i], a) if i < len(names) else a for i, a in enumerate(args)]
                return original(*first, **{**kwargs, **changed})

            return record(kind, _named(kind, args, kwargs), repeated)

        return call

    try:
        for (owner, name), kind in originals.items():
            setattr(owner, name, wrapped(kind, saved[owner, name]))
        yield
    finally:
        for (owner, name), original in saved.items():
            setattr(owner, name, original)


_PARAMETERS = {
    "edge_vectors": ("positions", "edge_index", "shifts"),
    "scatter": ("src", "index", "dim"),
    ENERGY_SUM: ("src", "index", "dim"),
}


def _named(kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    named = {**dict(zip(_PARAMETERS[kind], args, strict=False)), **kwargs}
    wanted = ("positions", "edge_index", "shifts") if kind == "edge_vectors" else ("src", "index", "dim", "dim_size")
    return {key: named[key] for key in wanted if key in named}
