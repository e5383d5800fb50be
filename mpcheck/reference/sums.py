"""What happens inside an operation that adds up: how large its partial sums are, and how rounding each of them disturbs the result.

For ``n`` exchangeable terms with sum ``y`` added one after another, the k-th partial sum has mean square about
``(k/n)^2 y^2 + k/n sum(t^2)``; over all k that is ``n (y^2 / 3 + sum(t^2) / 2)``. Each partial sum is rounded once, so this root
times u is the scale of a sequential accumulation's error; blocked and pairwise sums stay below it (compare Higham & Mary 2019,
doi:10.1137/18M1226312, where it is sqrt(n) u times the sum of magnitudes). Two things make errors larger than that:

- Rows that are scattered come in an order that need not be exchangeable: the edges of a lattice are listed direction by direction,
  and terms that cancel in the end have long added up. There the partial sums in the order given count where they are larger.
- Terms that are equal, as neighbours in one shell of a perfect lattice make them, round alike: their errors add up, not their squares
  (:func:`mpcheck.reference.hashing.xi_of_additions`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from mpcheck.reference.hashing import RESOLVED, xi, xi_of_additions
from mpcheck.reference.operations import GATHERS, LAYER_NORM_BACKWARD, SUMS, is_product

CHUNKS = 16  # in which the partial sums of a long matrix product are looked at
AT_ONCE = 1 << 22  # numbers whose partial sums are held at a time


def sum_noise(func: Any, name: str, args: Any, kwargs: Any, result: Any, seed: int, eta: float, apart: bool = False) -> Any:
    """The result of an operation that adds up, each of its partial sums rounded with unit roundoff ``eta``.

    Args:
        func, name, args, kwargs, result: the operation on float64 tensors, and what it gave.
        seed: of the draw.
        apart: equal rows that are added err independently, not alike.
    """
    if name == LAYER_NORM_BACKWARD:
        return tuple(value + noise.mul_(eta) if noise is not None else value for value, noise in layer_norm_noise(args, result, seed))
    if not isinstance(result, torch.Tensor) or result.dtype != torch.float64 or not result.numel():
        return result
    listed = None if apart else listed_rows(name, args, kwargs)
    error, ordered = (None, None) if listed is None else _additions(*listed, result.shape, seed)
    scale = partial_sums(func, name, args, kwargs, result, ordered)
    if scale is None:
        return result
    if error is not None and ordered is not None:
        noise = _stretched(error, ordered, scale)
    else:
        # terms that cancel leave a zero, which holds no digits of its own, after partial sums that did round
        noise = scale.mul_(xi(torch.where(result == 0, scale, result), seed, apart))
    return result.add_(noise.mul_(eta)) if name.endswith("_") else result + noise.mul_(eta)


def partial_sums(
    func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: torch.Tensor, ordered: torch.Tensor | None = None
) -> torch.Tensor | None:
    """Root of the summed squares of an operation's partial sums, element by element of its result; None where nothing is summed.

    Equal terms of a product, whose errors add up, are counted as that many times larger ones.

    Args:
        ordered: what :func:`rows_in_order` gives of the rows of a scatter, where it is known.
    """
    alike = 1.0
    if is_product(name):
        a, b = [t for t in args if isinstance(t, torch.Tensor)][-2:]
        squares = torch.matmul(a.square(), b.square())
        count: Any = a.shape[-1]
        alike, ordered = repeated(a, b), product_in_order(a, b)
    elif name in SUMS:
        squares = func(args[0].square(), *args[1:], **kwargs)
        if name == "mean":
            squares = squares * (squares.numel() / max(1, args[0].numel()))
        count = args[0].numel() / max(1, squares.numel())
    else:
        squares, count = _indexed(func, name, args, kwargs)
        if squares is None:
            return None
        if ordered is None and (listed := listed_rows(name, args, kwargs)) is not None:
            ordered = rows_in_order(*listed, result.shape)
    scale: torch.Tensor = (count * (result.square() / 3 + squares / 2)).sqrt()
    if ordered is not None:
        scale = torch.maximum(scale, ordered)
    return scale.mul_(alike**0.5)


def terms_of(name: str, args: Any, kwargs: Any, result: Any) -> int:
    """How many numbers an operation adds up into one at most."""
    if is_product(name):
        return max((int(t.shape[-1]) for t in args if isinstance(t, torch.Tensor) and t.dim()), default=1)
    if name in SUMS:
        return int(args[0].numel()) // max(1, int(result.numel()))
    listed = listed_rows(name, args, kwargs)
    return 1 if listed is None or not listed[0].numel() else int(torch.bincount(listed[0]).max())


def repeated(a: torch.Tensor, b: torch.Tensor) -> float:
    """How much larger equal terms make the mean square error of a matrix product than as many different ones would: 1 where all differ.

    Terms of sizes ``w`` err by ``sum(w^2)`` where they differ, and by the square of ``sum(w)`` over each class of equal ones. They
    are told apart, whatever their sign, by seeded projections of what they multiply, so that counting costs a sort of them. Equal are
    terms that float32 rounds off alike when it adds them, as in :func:`mpcheck.reference.hashing.xi_of_additions`.
    """
    terms = a.shape[-1]
    if terms < 2 or not a.numel() or not b.numel():
        return 1.0
    columns, rows = a.reshape(-1, terms), (b if b.dim() == 1 else b.movedim(-2, 0)).reshape(terms, -1)
    generator = torch.Generator().manual_seed(terms)
    sizes = (columns.square().sum(0) * rows.square().sum(1)).sqrt_()
    left, right = (torch.rand(2, side, generator=generator, dtype=a.dtype).to(a.device) for side in (columns.shape[0], rows.shape[1]))
    projected = (left @ columns) * (rows @ right.T).T
    spacing = projected.cumsum(1).abs().amax(1, keepdim=True).clamp(min=projected.abs().max()) * 2.0**-RESOLVED
    classes = torch.unique((projected / spacing).nan_to_num_().abs_().round_(), dim=1, return_inverse=True)[1]
    together = torch.zeros_like(sizes).index_add_(0, classes, sizes)
    alone = float(sizes.square().sum())
    return float(together.square().sum()) / alone if alone > 0 else 1.0


def product_in_order(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor | None:
    """Root of the summed squares of a matrix product's partial sums as they come, from every sixteenth of its terms; None of short ones."""
    terms = a.shape[-1]
    size = terms // CHUNKS
    if size < 4 or b.dim() == 1:
        return None
    total: torch.Tensor | None = None
    squares: torch.Tensor | None = None
    for start in range(0, terms, size):
        part = torch.matmul(a[..., start : start + size], b[..., start : start + size, :])
        total = part if total is None else total + part
        squares = total.square() if squares is None else squares.addcmul_(total, total)
    return None if squares is None else (squares * size).sqrt()


def listed_rows(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Where rows are added one after another, as listed: ``(index, rows)`` of shapes ``(n,)`` and ``(n, ...)``.

    None where whole rows are not what is added, or not along the first axis.
    """
    if name == "embedding_dense_backward":
        rows, index = args[:2]
        return index.flatten(), rows.reshape(index.numel(), -1)
    if name in GATHERS:
        if len(args) < 3 or not (args[3] if len(args) > 3 else kwargs.get("accumulate", False)):
            return None
        target, indices, rows = args[:3]
        index = indices[0] if indices and all(i is None for i in indices[1:]) else None
        if index is None or index.dtype not in (torch.int64, torch.int32):
            return None
    elif name in ("index_add", "index_add_", "scatter_add", "scatter_add_") and len(args) >= 4 and args[1] == 0:
        target, _, index, rows = args[:4]
        if index.dim() > 1:
            if index.shape != rows.shape or any(index.stride(d) for d in range(1, index.dim()) if index.shape[d] > 1):
                return None
            index = index.flatten(1)[:, 0] if rows.numel() else index.new_zeros(0)
    else:
        return None
    if index.dim() != 1 or not rows.numel() or rows.shape != (index.shape[0], *target.shape[1:]):
        return None
    return index, rows


def _parts(index: torch.Tensor, rows: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Columns at a time: where they lie, and row by row where it is added to, what is added and what that gives."""
    flat = rows.reshape(rows.shape[0], -1)
    order = torch.argsort(index, stable=True)
    into = index[order]
    first = torch.ones_like(into, dtype=torch.bool)
    first[1:] = into[1:] != into[:-1]
    starts, segment = torch.nonzero(first).flatten(), first.cumsum(0) - 1
    width = max(1, AT_ONCE // max(1, flat.shape[0]))
    for begin in range(0, flat.shape[1], width):
        columns = slice(begin, begin + width)
        terms = flat[:, columns][order]
        sums = terms.cumsum(0)
        before = torch.cat([torch.zeros_like(sums[:1]), sums])[starts]  # what earlier atoms' rows had added up to
        yield columns, into, terms, sums.sub_(before[segment])


def rows_in_order(index: torch.Tensor, rows: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Root of the summed squares of the partial sums of rows that are added one after another into zeros of ``shape``, as listed."""
    total = rows.new_zeros(shape[0], math.prod(shape[1:]))
    for columns, into, _, sums in _parts(index, rows):
        total[:, columns] = torch.zeros_like(total[:, columns]).index_add_(0, into, sums.square())
    return total.sqrt_().reshape(shape)


def in_order(index: torch.Tensor, rows: torch.Tensor, shape: torch.Size, scale: torch.Tensor, seed: int) -> torch.Tensor:
    """The error, for u = 1, of adding rows one after another, each partial sum rounded as its term says.

    Args:
        index, rows: see :func:`listed_rows`.
        shape: of the result.
        scale: root of the summed squares of the partial sums, in whatever order makes them largest.
        seed: of the draw.
    """
    return _stretched(*_additions(index, rows, shape, seed), scale)


def _additions(index: torch.Tensor, rows: torch.Tensor, shape: torch.Size, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The error of the additions as listed, and what :func:`rows_in_order` gives of them: partial sums are computed once for both."""
    error, size = (rows.new_zeros(shape[0], math.prod(shape[1:])) for _ in range(2))
    for columns, into, terms, sums in _parts(index, rows):
        disturbed = xi_of_additions(terms, sums, seed).mul_(sums.abs())
        error[:, columns] = torch.zeros_like(error[:, columns]).index_add_(0, into, disturbed)
        size[:, columns] = torch.zeros_like(size[:, columns]).index_add_(0, into, sums.square())
    return error.reshape(shape), size.sqrt_().reshape(shape)


def _stretched(error: torch.Tensor, ordered: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """The error where another order makes larger partial sums than the listed one; overwrites it."""
    larger = scale.reshape(ordered.shape) / ordered
    return error.mul_(larger.nan_to_num_(nan=1.0, posinf=1.0).clamp_(min=1.0))


def layer_norm_noise(args: tuple[Any, ...], result: Any, seed: int) -> Iterator[tuple[Any, torch.Tensor | None]]:
    """Each result of a layer norm's backward, and what rounding inside adds to it: its weight's and bias' gradients add up all rows."""
    grad, x, shape, mean, rstd = args[:5]
    rows = math.prod(grad.shape[: grad.dim() - len(shape)])
    for place, value in enumerate(result):
        if place == 0 or not isinstance(value, torch.Tensor) or not value.numel():
            yield value, None
            continue
        terms = (grad * (x - mean) * rstd if place == 1 else grad).reshape(rows, -1)
        scale = (rows * (value.flatten().square() / 3 + terms.square().sum(0) / 2)).sqrt()
        index = torch.zeros(rows, dtype=torch.int64, device=terms.device)
        yield value, in_order(index, terms, torch.Size((1, terms.shape[1])), scale, seed).reshape(value.shape)


def _indexed(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """The same scatter of squares, and of ones, into zeros."""
    tensors = list(args)
    if name == "embedding_dense_backward":
        place = 0
    elif name in GATHERS:
        place = 2
        if not (args[3] if len(args) > 3 else kwargs.get("accumulate", False)):
            return None, None
    elif name in ("index_add", "index_add_", "scatter_add", "scatter_add_"):
        place = 3
    else:
        return None, None
    if not isinstance(tensors[place], torch.Tensor):
        return None, None
    squares, ones = tensors[place].square(), torch.ones_like(tensors[place])
    return _on_zeros(func, tensors, place, squares, kwargs), _on_zeros(func, tensors, place, ones, kwargs)


def _on_zeros(func: Any, args: list[Any], place: int, values: torch.Tensor, kwargs: dict[str, Any]) -> torch.Tensor:
    head = [torch.zeros_like(args[0])] if place else []
    result: torch.Tensor = func(*head, *args[len(head) : place], values, *args[place + 1 :], **kwargs)
    return result
