"""What kernels obey of torch's flags for float32 products: the nearest that says anything."""

from __future__ import annotations

from itertools import product

import pytest

from mpcheck._torch_precision import HAS_NEW, LEVELS, OPERATIONS, PARENTS, ROOT, Float32, plain, products, read

VALUES = ("none", "ieee", "tf32", "bf16")


@pytest.mark.parametrize(("own", "parent", "root"), list(product(VALUES, repeat=3)))
def test_the_nearest_flag_that_says_anything_decides(own: str, parent: str, root: str) -> None:
    for backend in ("cuda", "mkldnn"):
        state = Float32("highest", False, (((backend, "matmul"), own), ((backend, "all"), parent), (ROOT, root)))
        said = next((value for value in (own, parent, root) if value != "none"), "ieee")
        expected = "ieee" if (backend, said) == ("cuda", "bf16") else said
        assert state.effective(backend, "matmul") == expected
        assert (f"{backend}.matmul {expected}" in state.lowered()) == (expected != "ieee")


@pytest.mark.parametrize("level", LEVELS)
def test_without_new_flags_the_old_ones_are_cudas(level: str) -> None:
    state = Float32(level, True)
    assert state.effective("cuda", "matmul") == ("ieee" if level == "highest" else "tf32")
    assert state.effective("cuda", "conv") == "tf32" and state.effective("mkldnn", "matmul") == "ieee"


@pytest.mark.parametrize("tf32", [False, True])
def test_products_are_as_asked_by_both_interfaces_and_put_back(tf32: bool) -> None:
    before = read()
    with products(tf32):
        within = read()
        assert within.lowered() == (["cuda.matmul tf32"] if tf32 else [])
        assert within.effective("cuda", "matmul") == plain(tf32).effective("cuda", "matmul")
        assert not HAS_NEW or dict(within.own).keys() == {ROOT, *PARENTS, *OPERATIONS}
    assert read() == before
