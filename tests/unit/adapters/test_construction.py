"""Small models are built as users build them, and whoever changes the default type on the way is named."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.construction import DtypeChanges, small_model
from mpcheck.adapters.upstream import default_dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_small_model_follows_the_ambient_type_and_no_seed(dtype: torch.dtype) -> None:
    with default_dtype(dtype):
        torch.manual_seed(5)
        one = small_model().state_dict()
        drawn = torch.rand(1)
        torch.manual_seed(5)
        assert torch.equal(torch.rand(1), drawn), "building drew from the user's generator"
        other = small_model().state_dict()
    assert {t.dtype for t in one.values() if t.is_floating_point()} >= {dtype}
    assert all(torch.equal(one[n], other[n]) for n in one)


class Meddler:
    def meddle(self) -> None:
        torch.set_default_dtype(torch.float64)


def test_who_changes_the_default_type_is_named() -> None:
    original, before = torch.set_default_dtype, torch.get_default_dtype()
    with default_dtype(before), DtypeChanges() as changes:
        assert changes.last() == "an unknown caller"
        Meddler().meddle()
        assert torch.get_default_dtype() == torch.float64, "it is watched, not kept from it"
    assert changes.calls == [(f"Meddler.meddle of {__name__}", torch.float64)]
    assert changes.last() == f"Meddler.meddle of {__name__}"
    assert torch.set_default_dtype is original
