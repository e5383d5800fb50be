"""A replay in a mixed format is judged by components of one ensemble."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mpcheck.formats import FORMATS
from mpcheck.judge.replay import replay
from mpcheck.judge.scale import noise_scale
from mpcheck.reference.operations import is_product, packet_name
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM

LINEAR = ["interactions.0.linear_up", "interactions.1.linear", "products.0.linear", "interactions.1.conv_tp_weights", "readouts.1.linear_1"]


class Autocast(TorchDispatchMode):
    """Matrix products with bfloat16 operands and results, everything else in float32."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not is_product(packet_name(func)):
            return func(*args, **(kwargs or {}))
        rounded = tuple(a.bfloat16().float() if isinstance(a, torch.Tensor) and a.dtype == torch.float32 else a for a in args)
        result = func(*rounded, **(kwargs or {}))
        return result.bfloat16().float()


@pytest.mark.parametrize("block", LINEAR)
def test_mixed_format_needs_no_ensemble_of_its_own(session: Session, block: str) -> None:
    reference = session.check(SYSTEM).library.get(block)
    with Autocast():
        low = replay(session.reference_backend, reference, FORMATS["float32"], "forward")
    u = {**FORMATS["float32"].roundoff, "operand": 2.0**-8, "product": 2.0**-8}
    value = reference.values["out"]
    scale = noise_scale(reference.noise["out"], reference.statistics["out"], u, value)
    ratio = float((low["out"].double() - value).square().mean().sqrt()) / scale.rms
    assert 0.3 < ratio < 1.1
