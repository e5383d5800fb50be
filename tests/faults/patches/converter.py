"""Faults of upstream's converter and of what it builds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.sessions.run import Session
from tests.faults.patches.planting import dtype_named, exchanged, patch


def _module() -> Any:
    from mace.cli import convert_e3nn_cueq

    return convert_e3nn_cueq


@patch
def layers_in_code(session: Session, layers: int) -> Iterator[None]:
    """The list of layers whose contractions are converted is written out for so many."""
    with exchanged(_module(), "get_kmax_pairs", lambda original: lambda *args, **kwargs: original(*args, **kwargs)[:layers]):
        yield


@patch
def key_skipped(session: Session) -> Iterator[None]:
    """Keys whose shapes differ by an axis of one are logged and left as they were drawn."""
    with exchanged(_module(), "shapes_match_up_to_unsqueeze", lambda _: lambda a, b: False):
        yield


class _Swapped(dict[str, torch.Tensor]):
    """A model's state in which the highest and the lowest order of a contraction's weights have each other's names."""

    def __getitem__(self, key: str) -> torch.Tensor:
        head, found, tail = key.rpartition(".weights")
        if found and tail in ("_max", ".0") and ".contractions." in head:
            key = f"{head}.weights{'.0' if tail == '_max' else '_max'}"
        return super().__getitem__(key)


@patch
def suffixes_in_another_order(session: Session) -> Iterator[None]:
    """The converter's list of a contraction's weights in another order than the model's."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda source_dict, *args, **kwargs: original(_Swapped(source_dict), *args, **kwargs)

    with exchanged(_module(), "transfer_symmetric_contractions", make):
        yield


@patch
def inner_arithmetic_in(session: Session, dtype: str) -> Iterator[None]:
    """Tensor products of the converted model compute in another type inside than the model's."""
    import cuequivariance_torch as cuet

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **{**kwargs, "math_dtype": dtype_named(dtype)})

        return init

    with exchanged(cuet.ChannelWiseTensorProduct, "__init__", make):
        yield


@patch
def filter_ignored(session: Session) -> Iterator[None]:
    """The convolution of the converted model gives every irrep that there is, not those asked for."""
    import cuequivariance_torch as cuet

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, irreps_in1: Any, irreps_in2: Any, filter_irreps_out: Any = None, **kwargs: Any) -> None:
            original(self, irreps_in1, irreps_in2, None, **kwargs)

        return init

    with exchanged(cuet.ChannelWiseTensorProduct, "__init__", make):
        yield


@patch
def inner_arithmetic_kept(session: Session) -> Iterator[None]:
    """A converted float64 model cast afterwards: its inner arithmetic stays in float64.

    The one patch of this project's own code: its adapter makes a cast model compute inside as a model converted after the cast does.
    """
    from mpcheck.adapters.backends import cueq as cueq_backend

    with exchanged(cueq_backend, "inner_arithmetic", lambda _: lambda *args: contextlib.nullcontext()):
        yield
