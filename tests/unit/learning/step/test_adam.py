from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.learning.taking import STATES, Settings, optimizer_of
from mpcheck.learning.step.adam import clipped, decays, fresh, stepped, updated
from tests.unit.checks.uses.small_models import built


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [0.01, 10.0], ids=["as it is", "clipped"])
def test_the_closed_form_is_torchs_amsgrad(size: float) -> None:
    settings = Settings(weight_decay=0.1)
    names = ("products.0.linear.weight", "readouts.0.linear.weight")
    parameters = {n: torch.nn.Parameter(drawn(5, 3, seed=i)) for i, n in enumerate(names)}
    groups = [{"params": [p], "weight_decay": settings.weight_decay if decays(n) else 0.0} for n, p in parameters.items()]
    torchs = torch.optim.Adam(groups, lr=settings.lr, amsgrad=True)
    own, state = {n: p.detach().clone() for n, p in parameters.items()}, fresh(parameters)
    for number in range(5):
        gradients = {n: size / (number + 1) * drawn(5, 3, seed=10 * number + i) for i, n in enumerate(names)}
        for n, p in parameters.items():
            p.grad = gradients[n].clone()
        torch.nn.utils.clip_grad_norm_(parameters.values(), settings.max_norm)
        torchs.step()
        made = stepped(settings, own, gradients, state, number)
        own, state = made.after, made.state
    for name, parameter in parameters.items():
        assert torch.allclose(own[name], parameter.detach(), rtol=1e-14, atol=0)
        for kind in STATES:
            assert torch.allclose(state[kind][name], torchs.state[parameter][kind], rtol=1e-13, atol=0)


def test_the_common_norm_is_clipped() -> None:
    gradients = {"a": drawn(50, seed=1), "b": 100 * drawn(7, seed=2)}
    norm = torch.cat(list(clipped(gradients, 3.0).values())).norm()
    assert float(norm) == pytest.approx(3.0, rel=1e-6)
    assert all(torch.equal(g, gradients[n]) for n, g in clipped(gradients, 1e6).items())


def test_groups_are_those_of_upstream() -> None:
    model = built("ScaleShiftMACE")
    settings = Settings()
    groups = {id(p): group["weight_decay"] for group in optimizer_of(settings, model).param_groups for p in group["params"]}
    parameters = dict(model.named_parameters())
    assert {n for n in parameters if updated(n)} == {n for n, p in parameters.items() if id(p) in groups}
    assert {n for n in parameters if decays(n)} == {n for n, p in parameters.items() if groups.get(id(p))}
    assert {groups[id(p)] for p in parameters.values()} == {0.0, settings.weight_decay}
    assert decays("cueq:products.0.symmetric_contractions.weight") and not decays("readouts.0.linear.weight")
    assert not updated("scale_shift.scale")
