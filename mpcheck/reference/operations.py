"""Which aten operations round, and how Monte Carlo arithmetic treats them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
