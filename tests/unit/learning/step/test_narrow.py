from __future__ import annotations

import pytest
import torch

from mpcheck.learning.step.narrow import copied, layers, lowered
from mpcheck.sessions.run import Session


@pytest.mark.parametrize("stored", [False, True], ids=["masters", "stored"])
def test_linear_layers_compute_in_16_bits_under_the_same_names(run: Session, stored: bool) -> None:
    model = run.reference_backend.model
    made = lowered(model, model, torch.float32, torch.bfloat16, stored)
    own, source = dict(made.named_parameters()), dict(model.named_parameters())
    assert list(own) == list(source) and {n: p.shape for n, p in own.items()} == {n: p.shape for n, p in source.items()}
    inside = {n for path in layers(model) for n in source if n.startswith(f"{path}.")}
    assert inside and {n for n, p in own.items() if p.dtype == torch.bfloat16} == (inside if stored else set())
    layer = made.get_submodule("interactions.0.linear_up")
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    out = layer(x)
    whole = copied(model, torch.float32).get_submodule("interactions.0.linear_up").to(torch.bfloat16)
    assert out.dtype == torch.float32 and torch.equal(out, whole(x.bfloat16()).float())
    out.sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.dtype == layer.weight.dtype


def test_a_copy_shares_nothing_that_training_changes(run: Session) -> None:
    model = run.reference_backend.model
    made = copied(model, torch.float64)
    places = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers()) if t.numel()}
    assert not places & {t.untyped_storage().data_ptr() for t in made.parameters()}
