"""What rounding does to every row of a block's results on all of a structure: a mean square for each row and irrep, and nothing else kept.

A sample of rows has noise scales number by number, for any format and both directions. For every row a few draws of those components that
matter are enough, since a row's numbers tell one figure together. Blocks whose rows are computed each for itself are disturbed some rows at
a time, so that a draw takes no more memory at any size; whether they are is seen by what those rows give.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Tensors
from mpcheck.formats import Component
from mpcheck.reference.build import draws_in, evaluate
from mpcheck.reference.deviation import deviations
from mpcheck.reference.noise import eta_of, seed_of
from mpcheck.reference.sample import Kept
from mpcheck.reference.steady import copied, unlike

AT_ONCE = 2**21
"""Numbers of a block's widest tensor that are disturbed at a time."""
SMALL = 2**20
"""Numbers of it up to which more draws are taken: few different numbers are known from few draws less well."""
DRAWS, DRAWS_OF_SMALL = 3, 9

Groups = Sequence[tuple[str, slice]]


def row_means(squares: torch.Tensor, groups: Groups) -> torch.Tensor:
    """The mean of every row, of each of its groups apart.

    Args:
        squares: [rows, ...]. groups: named slices of the last axis; fewer than two are all of it.

    Returns:
        [rows, groups], at least one.
    """
    if len(groups) < 2:
        return squares.reshape(len(squares), -1).mean(1, keepdim=True)
    return torch.stack([squares[..., where].reshape(len(squares), -1).mean(1) for _, where in groups], 1)


@dataclass(frozen=True)
class Call:
    """One call of a block on all of a structure.

    Attributes:
        groups: by the name of each result that has rows, its parts that are judged apart.
        alone: number of rows of a block that computes each for itself; None of any other. width: numbers that each row has in it.
    """

    block: Block
    skeleton: Any
    inputs: Tensors
    groups: Mapping[str, Groups]
    alone: int | None
    width: int


def rows_alone(skeleton: Any, tensors: Mapping[str, torch.Tensor], atoms: int, edges: int) -> int | None:
    """How many rows a call has that may be computed each for itself: edges, or atoms; None where it has both, or adds up."""
    if atoms == edges or (isinstance(skeleton, dict) and "dim_size" in skeleton):
        return None
    if any(not t.is_floating_point() and t.dim() > 1 and t.shape[-1] == edges for t in tensors.values()):
        return None
    counts = {len(t) for t in tensors.values() if t.dim() and len(t) in (atoms, edges)}
    return counts.pop() if len(counts) == 1 else None


def _calls(backend: E3nnModel, call: Call, values: Tensors) -> Iterator[tuple[slice, Tensors, Tensors]]:
    """Some rows at a time: which, the arguments, and the float64 results. All at once where they do not give what the whole call gave."""
    step = max(1, AT_ONCE // max(1, call.width))
    if call.alone is not None and step < call.alone:
        for first in range(0, call.alone, step):
            where = slice(first, min(first + step, call.alone))
            inputs = Kept({call.alone: torch.arange(where.start, where.stop)}).inputs(call.inputs)
            found = evaluate(backend, call.block, call.skeleton, copied(inputs, backend.device), {})
            if first == 0 and unlike({n: values[n][where] for n in call.groups}, found):
                break
            yield where, inputs, {n: found[n] for n in call.groups}
        else:
            return
    yield slice(None), dict(call.inputs), {n: values[n] for n in call.groups}


def row_noise(
    backend: E3nnModel, call: Call, values: Tensors, components: Collection[Component], seed: int
) -> dict[str, dict[Component, torch.Tensor]]:
    """Mean square deviation for u = 1 of every row and group by result and component, [rows, groups], float64.

    Args:
        values: the call's float64 results.
        components: that are drawn.
    """
    numbers = call.width * max(len(values[n]) for n in call.groups)
    draws = DRAWS_OF_SMALL if numbers <= SMALL else DRAWS
    total: dict[str, dict[Component, torch.Tensor]] = {n: {} for n in call.groups}
    for where, inputs, exact in _calls(backend, call, values):
        for component in components:
            draw = draws_in(backend, call.block, call.skeleton, inputs, {}, component)
            seeds = [seed_of("rows", seed, call.block.name, component, number) for number in range(draws)]
            for name, deviation in deviations(draw, exact, seeds, eta_of(component)):
                if component not in total[name]:
                    total[name][component] = values[name].new_zeros(len(values[name]), max(1, len(call.groups[name])))
                total[name][component][where] += row_means(deviation.square_(), call.groups[name]) / draws
    return total
