"""Legitimate changes of how a replay computes: other orders of sums, other paths of the library, other numbers of threads.

Each is what a library may do in its next version without being wrong: partial sums are kept in float32 or better, every result
is rounded once. References are made without them.
"""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch._dynamo
from torch.utils._python_dispatch import TorchDispatchMode

from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.load import load_model
from mpcheck.bench.work.pinning import torch_threads
from mpcheck.sessions.run import Session

aten = torch.ops.aten
BLOCK = 16  # terms of a blocked sum
_ADDED = {aten.addmm.default: aten.mm.default, aten.baddbmm.default: aten.bmm.default}
_PRODUCTS = {aten.mm.default: 0, aten.bmm.default: 0, aten.addmm.default: 1, aten.baddbmm.default: 1}
_SCATTERS = (aten.scatter_add.default, aten.scatter_add_.default, aten.index_add.default, aten.index_add_.default)
Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def wide(t: torch.Tensor) -> torch.Tensor:
    """Float32 at least."""
    return t.float() if t.dtype in (torch.bfloat16, torch.float16) else t


def blocked(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Sixteen terms at a time, block after block."""
    total = torch.zeros(*a.shape[:-1], b.shape[-1], dtype=a.dtype, device=a.device)
    for start in range(0, a.shape[-1], BLOCK):
        total = total + a[..., start : start + BLOCK] @ b[..., start : start + BLOCK, :]
    return total


def pairwise(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Halves apart, down to single blocks (Higham, Accuracy and Stability, 2nd ed., section 4.1)."""
    terms = a.shape[-1]
    if terms <= BLOCK:
        return a @ b
    half = terms // 2
    return pairwise(a[..., :half], b[..., :half, :]) + pairwise(a[..., half:], b[..., half:, :])


def backwards(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The last term first."""
    return a.flip(-1) @ b.flip(-2)


def one_by_one(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Term after term, each product rounded before it is added: no fused multiply-add."""
    total = torch.zeros(*a.shape[:-1], b.shape[-1], dtype=a.dtype, device=a.device)
    for k in range(a.shape[-1]):
        total = total + a[..., k : k + 1] * b[..., k : k + 1, :]
    return total


def fused(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Term after term, product and sum rounded once: fused multiply-add."""
    total = torch.zeros(*a.shape[:-1], b.shape[-1], dtype=a.dtype, device=a.device)
    for k in range(a.shape[-1]):
        total = torch.addcmul(total, a[..., k : k + 1], b[..., k : k + 1, :])
    return total


class OtherProducts(TorchDispatchMode):
    """Matrix products by another order of sums, in float32 or better, rounded once."""

    def __init__(self, product: Product) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.product = product
        self.calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _PRODUCTS and not kwargs and args[0].is_floating_point():
            self.calls += 1
            a, b = args[_PRODUCTS[func] : _PRODUCTS[func] + 2]
            found = self.product(wide(a), wide(b))
            return (found + wide(args[0]) if func in _ADDED else found).to(a.dtype)
        return func(*args, **(kwargs or {}))


class OtherScatters(TorchDispatchMode):
    """Rows are added into atoms in another order: that of a seeded permutation."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _SCATTERS and not kwargs:
            target, dim, index, source = args
            if source.dim() and source.shape[dim] == index.shape[dim if index.dim() > 1 else 0] and source.shape[dim] > 1:
                self.calls += 1
                order = torch.randperm(source.shape[dim], generator=torch.Generator().manual_seed(source.shape[dim])).to(source.device)
                return func(target, dim, index.index_select(dim if index.dim() > 1 else 0, order), source.index_select(dim, order))
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def products(product: Product) -> Iterator[Callable[[], int]]:
    """Matrix products done otherwise; yields a count of those done."""
    with OtherProducts(product) as mode:
        yield lambda: mode.calls


@contextlib.contextmanager
def scatters() -> Iterator[Callable[[], int]]:
    """Sums over neighbours done otherwise."""
    with OtherScatters() as mode:
        yield lambda: mode.calls


@contextlib.contextmanager
def other_library() -> Iterator[None]:
    """Without oneDNN: torch's own kernels and the BLAS behind it."""
    with torch.backends.mkldnn.flags(enabled=False):
        yield


VARIATIONS: Mapping[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "as installed": contextlib.nullcontext,
    "two threads": functools.partial(torch_threads, 2),
    "blocked sums": functools.partial(products, blocked),
    "pairwise sums": functools.partial(products, pairwise),
    "sums backwards": functools.partial(products, backwards),
    "no fused multiply-add": functools.partial(products, one_by_one),
    "fused multiply-add": functools.partial(products, fused),
    "neighbours in another order": scatters,
    "without oneDNN": other_library,
    "without TorchScript's optimiser": functools.partial(torch.jit.optimized_execution, False),
}
"""What changes in a replay, by name; some yield how often they acted."""


def plain_python(session: Session) -> E3nnModel:
    """The reference backend's model with e3nn's generated code run by Python instead of TorchScript."""
    import e3nn

    before = e3nn.get_optimization_defaults()["jit_script_fx"]
    e3nn.set_optimization_defaults(jit_script_fx=False)
    try:
        return E3nnModel(load_model(session.options.model).module, session.device)
    finally:
        e3nn.set_optimization_defaults(jit_script_fx=before)


class Compiled(E3nnModel):
    """Blocks through torch.compile, where upstream's code can be traced; what cannot is `unsupported`."""

    def __init__(self, model: torch.nn.Module, device: torch.device) -> None:
        super().__init__(model, device)
        self._compiled: dict[str, Callable[..., Any]] = {}

    def callable(self, block: Block) -> Callable[..., Any]:
        """The compiled module, made at first use."""
        if block.name not in self._compiled:
            self._compiled[block.name] = _traced(torch.compile(super().callable(block), dynamic=False))
        return self._compiled[block.name]


def _traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled function that says where Dynamo, not the block, is at a loss (it asks e3nn's irreps for a length)."""

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except torch._dynamo.exc.TorchDynamoException as error:
            # in torch's own words for an operation that it has not, by which records say `unsupported`: of code outside of torch an error is a fault
            raise NotImplementedError(f"tracing it is not currently implemented for the compiler: {type(error).__name__}") from error

    return call


def compiled(session: Session) -> E3nnModel:
    """torch.compile over plain Python: Dynamo does not look into TorchScript."""
    return Compiled(plain_python(session).model, session.device)


BACKENDS: Mapping[str, Callable[[Session], E3nnModel]] = {"plain Python instead of TorchScript": plain_python, "torch.compile": compiled}
"""Other builds of the reference backend that replay its blocks."""


def with_backend(session: Session, model: E3nnModel) -> Session:
    """The session whose e3nn blocks another build replays; its references stay."""
    made = copy.copy(session)
    made._backends = {**session._backends, "e3nn": model}
    made._checks = {}
    for system in session.systems:
        made._checks[system] = copy.copy(session.check(system))
        made._checks[system].backend = made.backend
    return made
