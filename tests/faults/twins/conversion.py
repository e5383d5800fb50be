"""Twins of faults of upstream's converter and of what it builds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.sessions.run import Session
from tests.faults.patches.converter import _module
from tests.faults.patches.planting import dtype_named, exchanged, patch
from tests.faults.twins.acting import Acts


@patch
def layers_from_the_last(session: Session, acts: Acts) -> Iterator[None]:
    """The list of layers whose contractions are converted, all of them, from the last to the first."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            acts()
            return original(*args, **kwargs)[::-1]

        return call

    with exchanged(_module(), "get_kmax_pairs", make):
        yield


@patch
def keys_matched_by_squeezing(session: Session, acts: Acts) -> Iterator[None]:
    """Whether two keys' shapes differ by axes of one only is asked of tensors without memory, squeezed."""

    def call(a: Any, b: Any) -> bool:
        acts()
        one, other = (torch.empty(s, device="meta").squeeze().shape for s in (a, b))
        return one == other

    with exchanged(_module(), "shapes_match_up_to_unsqueeze", lambda _: call):
        yield


@patch
def state_in_another_order(session: Session, acts: Acts) -> Iterator[None]:
    """The converter reads a model's state from the last key to the first, each under its own name."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(source_dict: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> Any:
            acts()
            return original(dict(reversed(source_dict.items())), *args, **kwargs)

        return call

    with exchanged(_module(), "transfer_symmetric_contractions", make):
        yield


def _constructed(acts: Acts, change: Callable[[Any], Any], name: str) -> Any:
    """One argument of cuEquivariance's channel-wise product changed when it is built."""
    import cuequivariance_torch as cuet

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, irreps_in1: Any, irreps_in2: Any, filter_irreps_out: Any = None, **kwargs: Any) -> None:
            acts()
            given = {"filter_irreps_out": filter_irreps_out, **kwargs}
            original(self, irreps_in1, irreps_in2, **{**given, name: change(given)})

        return init

    return exchanged(cuet.ChannelWiseTensorProduct, "__init__", make)


@patch
def inner_arithmetic_as_stored(session: Session, acts: Acts) -> Iterator[None]:
    """Tensor products of the converted model are told to compute in the type that they store."""
    with _constructed(acts, lambda given: given["dtype"], "math_dtype"):
        yield


@patch
def filter_in_another_order(session: Session, acts: Acts) -> Iterator[None]:
    """The convolution of the converted model is given its filter as a list of irreps, from the last to the first."""
    with _constructed(acts, lambda given: [ir for _, ir in given["filter_irreps_out"]][::-1], "filter_irreps_out"):
        yield


@patch
def inner_arithmetic_set_twice(session: Session, acts: Acts) -> Iterator[None]:
    """A converted float64 model cast afterwards: its inner arithmetic goes through another type on its way."""
    from mpcheck.adapters.backends import cueq as cueq_backend

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        @contextlib.contextmanager
        def call(module: torch.nn.Module, dtype: torch.dtype) -> Iterator[None]:
            acts()
            with original(module, torch.float64), original(module, dtype):
                yield

        return call

    with exchanged(cueq_backend, "inner_arithmetic", make):
        yield


@patch
def normalisation_moved(session: Session, acts: Acts, factor: float, dtype: str) -> Iterator[None]:
    """cuEquivariance's fully connected tensor product: a factor moved from its first operand to its result, in one type."""
    import cuequivariance_torch as cuet

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x1: torch.Tensor, x2: torch.Tensor, weight: Any = None) -> Any:
            if x1.dtype != dtype_named(dtype):
                return original(self, x1, x2, weight)
            acts()
            return original(self, x1 / factor, x2, weight) * factor

        return forward

    with exchanged(cuet.FullyConnectedTensorProduct, "forward", make):
        yield


@patch
def second_operand_one_by_one(session: Session, acts: Acts) -> Iterator[None]:
    """cuEquivariance's fully connected tensor product once for each channel of its second operand, added up."""
    import cuequivariance_torch as cuet

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x1: torch.Tensor, x2: torch.Tensor, weight: Any = None) -> Any:
            acts()
            channels = torch.eye(x2.shape[-1], dtype=x2.dtype, device=x2.device)
            return torch.stack([original(self, x1, x2 * channel, weight) for channel in channels]).sum(0)

        return forward

    with exchanged(cuet.FullyConnectedTensorProduct, "forward", make):
        yield
