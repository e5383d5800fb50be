"""Casts of a module are undone bit by bit."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.backends.casting import replaced, tensors_of, to_dtype
from mpcheck.formats import get_format


def test_casts_are_undone_bit_by_bit(tiny: torch.nn.Module) -> None:
    before = [t.detach().clone() for t in tensors_of(tiny)]
    names = [n for n, _ in tiny.named_parameters()]
    for name in ("bfloat16", "float16", "float32"):
        with replaced(tiny, to_dtype(get_format(name).storage)):
            assert {p.dtype for p in tiny.parameters()} == {get_format(name).storage}
    with pytest.raises(RuntimeError), replaced(tiny, to_dtype(torch.float16)):
        raise RuntimeError("the block failed")
    after = tensors_of(tiny)
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(before, after, strict=True))
    assert [n for n, _ in tiny.named_parameters()] == names
