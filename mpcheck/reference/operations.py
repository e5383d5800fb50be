"""Which aten operations round, and how Monte Carlo arithmetic treats them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch._decomp import decomposition_table

from mpcheck.formats import Component

# Matrix products: their operands are what tf32 rounds, their results what autocast rounds.
PRODUCTS = frozenset("mm bmm addmm baddbmm addbmm mv addmv dot vdot linear convolution _convolution einsum matmul addr ger outer tensordot".split())

# Operations whose result holds only values that were there before: views, copies, gathers, concatenations, fills,
# selections, exact sign and order operations. Everything else that yields floats is taken to round.
EXACT = frozenset(
    """
    alias as_strided view _unsafe_view _reshape_alias reshape expand expand_as permute transpose t unsqueeze squeeze
    select slice narrow split split_with_sizes chunk unbind diagonal unfold detach contiguous clone copy copy_ _to_copy to
    lift lift_fresh lift_fresh_copy index index_select gather take embedding cat stack concat hstack vstack repeat
    repeat_interleave flip roll tile zeros zeros_like ones ones_like full full_like empty empty_like empty_strided new_empty
    new_zeros new_ones new_full new_empty_strided zero_ fill_ fill scalar_tensor arange eye one_hot
    masked_fill masked_fill_ masked_select where abs neg sign sgn relu relu_ clamp clamp_min clamp_max clamp_ clamp_min_
    clamp_max_ max min amax amin maximum minimum argmax argmin sort topk constant_pad_nd slice_scatter select_scatter
    as_strided_scatter as_strided_ set_ resize_ detach_ unsqueeze_ squeeze_ t_ transpose_ view_as_real view_as_complex
    scatter scatter_ index_copy index_copy_ select_backward slice_backward diag_embed diagonal_backward tril triu
    positive round floor ceil trunc threshold_backward index_fill index_fill_ squeeze_copy _local_scalar_dense
    expand_copy nan_to_num resolve_conj resolve_neg real _conj pin_memory broadcast_to is_nonzero item bernoulli
    """.split()
)


def packet_name(func: Any) -> str:
    """``mul`` of ``aten.mul.Tensor``."""
    return str(func._overloadpacket.__name__)


def is_product(name: str) -> bool:
    """Whether an aten operation is a matrix product."""
    return name in PRODUCTS


def rounds(name: str) -> bool:
    """Whether an aten operation computes new floating-point values."""
    return name not in EXACT and not name.startswith(("sym_", "is_", "_assert"))


def exact_scaling(name: str, args: tuple[Any, ...]) -> bool:
    """Whether an operation multiplies or divides by a power of two, which is exact in binary arithmetic."""
    if name not in ("mul", "mul_", "div", "div_") or len(args) < 2 or not is_constant(args[1]):
        return False
    return math.frexp(args[1])[0] in (0.5, -0.5)


def is_constant(value: Any) -> bool:
    """A number of the code, not a tensor."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def has_constant(name: str, args: tuple[Any, ...]) -> bool:
    """Whether a number of the code that float32 may not hold enters an operation's arithmetic."""
    return rounds(name) and any(isinstance(a, float) for a in args) and name not in SUMS


LAYER_NORM_BACKWARD = "native_layer_norm_backward"  # adds its parameters' gradients over rows as index_put does: in the storage type on a CPU
SCATTERS = frozenset("scatter_add scatter_add_ index_add index_add_ scatter_reduce scatter_reduce_".split())
GATHERS = frozenset("index_put index_put_ _index_put_impl_ embedding_dense_backward".split())
SUMS = frozenset("sum mean".split())


# Operations whose result depends on their arguments' shapes alone.
FACTORIES = frozenset(
    """
    zeros zeros_like ones ones_like full full_like empty empty_like empty_strided new_empty new_zeros new_ones new_full
    new_empty_strided scalar_tensor arange linspace eye
    """.split()
)

# Operations that torch computes in several steps inside one kernel: in a native format each step rounds.
FUSED = frozenset(
    """
    silu silu_ silu_backward sigmoid_backward tanh_backward gelu gelu_backward softplus softplus_backward elu elu_backward
    log_sigmoid_forward log_sigmoid_backward mish mish_backward hardswish hardswish_backward _softmax
    _softmax_backward_data native_layer_norm native_layer_norm_backward linalg_vector_norm norm addcmul addcmul_ addcdiv
    addcdiv_ lerp lerp_ cosine_similarity cdist mse_loss mse_loss_backward
    """.split()
)


@dataclass(frozen=True)
class Operation:
    """What there is to know about an aten operation, looked up once: a block calls tens of thousands.

    Attributes:
        name: ``mul`` of ``aten.mul.Tensor``.
        rounds: it computes new floating-point values.
        product: it is a matrix product.
        sums: the component of its partial sums; None where it adds nothing up.
        steps: the elementary operations of a fused one, by torch's own table.
        in_place: it writes into its first argument.
    """

    name: str
    rounds: bool
    product: bool
    sums: Component | None
    steps: Callable[..., Any] | None
    in_place: bool


@functools.cache
def operation_of(func: Any) -> Operation:
    """The operation that an overload belongs to."""
    name = packet_name(func)
    steps: Callable[..., Any] | None = decomposition_table.get(func) if name in FUSED else None
    return Operation(name, rounds(name), is_product(name), sums_in(name), steps, name.endswith("_"))


def sums_in(name: str) -> Component | None:
    """Which component the partial sums of an operation belong to."""
    if is_product(name) or name in SUMS:
        return "inner"
    if name in SCATTERS:
        return "scatter"
    return "gather" if name in GATHERS or name == LAYER_NORM_BACKWARD else None


def partial_sums(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: torch.Tensor) -> torch.Tensor | None:
    """Root of the summed squares of an operation's partial sums, element by element of its result.

    For ``n`` exchangeable terms with sum ``y`` added one after another, the k-th partial sum has mean square about
    ``(k/n)^2 y^2 + k/n sum(t^2)``; over all k that is ``n (y^2 / 3 + sum(t^2) / 2)``. Each partial sum is rounded once, so
    this root times u is the scale of a sequential accumulation's error; blocked and pairwise sums stay below it (compare
    Higham & Mary 2019, doi:10.1137/18M1226312, where it is sqrt(n) u times the sum of magnitudes). Rows that are scattered come
    in an order that need not be exchangeable: the edges of a lattice are listed direction by direction, and terms that cancel in
    the end have long added up. There the partial sums in the order given count where they are larger. Terms of a product that are
    equal, as neighbours in one shell of a perfect lattice make them, round alike as well: their errors add up, not their squares.
    None where nothing is summed.
    """
    alike, ordered = 1.0, None
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
        ordered = rows_in_order(name, args)
    scale: torch.Tensor = (count * (result.square() / 3 + squares / 2)).sqrt()
    if ordered is not None:
        scale = torch.maximum(scale, ordered)
    return scale.mul_(alike**0.5)


def repeated(a: torch.Tensor, b: torch.Tensor) -> float:
    """How often a term of a matrix product occurs on average: 1 where all differ. Equal to float32's digits counts as equal.

    Terms are told apart by seeded projections of what they multiply, so that counting costs a sort of them.
    """
    terms = a.shape[-1]
    if terms < 2 or not a.numel() or not b.numel():
        return 1.0
    columns, rows = a.reshape(-1, terms), (b if b.dim() == 1 else b.movedim(-2, 0)).reshape(terms, -1)
    generator = torch.Generator().manual_seed(terms)
    left = torch.rand(columns.shape[0], generator=generator, dtype=a.dtype).to(a.device) @ columns
    right = rows @ torch.rand(rows.shape[1], generator=generator, dtype=b.dtype).to(b.device)
    distinct = torch.unique(torch.stack([left, right], 1).float(), dim=0).shape[0]
    return float(terms / distinct)


CHUNKS = 16  # in which the partial sums of a long matrix product are looked at


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


def rows_in_order(name: str, args: tuple[Any, ...]) -> torch.Tensor | None:
    """Root of the summed squares of the partial sums of rows that are added one after another into zeros, as listed.

    None where whole rows are not what is added, or not along the first axis.
    """
    if name not in ("index_add", "index_add_", "scatter_add", "scatter_add_") or len(args) < 4 or args[1] != 0:
        return None
    target, _, index, rows = args[:4]
    if index.dim() > 1:
        if index.shape != rows.shape or any(index.stride(d) for d in range(1, index.dim()) if index.shape[d] > 1):
            return None
        index = index.flatten(1)[:, 0] if rows.numel() else index.new_zeros(0)
    if not rows.numel() or rows.shape[1:] != target.shape[1:]:
        return None
    order = torch.argsort(index, stable=True)
    into, sums = index[order], rows[order].cumsum(0)
    first = torch.ones_like(into, dtype=torch.bool)
    first[1:] = into[1:] != into[:-1]
    starts = torch.nonzero(first).flatten()
    before = torch.cat([torch.zeros_like(sums[:1]), sums])[starts]  # what earlier atoms' rows had added up to
    partial = sums - before[first.cumsum(0) - 1]
    return torch.zeros_like(target).index_add_(0, into, partial.square()).sqrt()


def layer_norm_sums(args: tuple[Any, ...], result: Any) -> dict[int, torch.Tensor]:
    """Partial sums, as above, of a layer norm's weight and bias gradients (results 1 and 2), which add up all rows."""
    grad, x, shape, mean, rstd = args[:5]
    rows = list(range(grad.dim() - len(shape)))
    count = math.prod(grad.shape[d] for d in rows)
    sums = {}
    for place, terms in ((1, grad * (x - mean) * rstd), (2, grad)):
        if isinstance(result[place], torch.Tensor) and result[place].numel():
            sums[place] = (count * (result[place].square() / 3 + terms.square().sum(rows) / 2)).sqrt()
    return sums


def _indexed(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """The same scatter of squares, and of ones, into zeros."""
    tensors = list(args)
    if name in GATHERS and name != "embedding_dense_backward":
        accumulate = args[3] if len(args) > 3 else kwargs.get("accumulate", False)
        place = 2
        if not accumulate:
            return None, None
    elif name in ("index_add", "index_add_", "scatter_add", "scatter_add_"):
        place = 3
    else:
        return None, None
    if not isinstance(tensors[place], torch.Tensor):
        return None, None
    scattered = []
    for values in (tensors[place].square(), torch.ones_like(tensors[place])):
        scattered.append(_on_zeros(func, tensors, place, values, kwargs))
    return scattered[0], scattered[1]


def _on_zeros(func: Any, args: list[Any], place: int, values: torch.Tensor, kwargs: dict[str, Any]) -> torch.Tensor:
    changed = [torch.zeros_like(args[0]), *args[1:place], values, *args[place + 1 :]]
    result: torch.Tensor = func(*changed, **kwargs)
    return result
