"""tf32 and a mixed format, judged by components of one Monte Carlo ensemble, are as tight as float32 and bfloat16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mpcheck.formats import FORMATS
from mpcheck.judge.replay import replay
from mpcheck.judge.scale import noise_scale
from mpcheck.records.record import Record
from mpcheck.reference.operations import is_product, packet_name
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM

LINEAR = ["interactions.0.linear_up", "interactions.1.linear", "products.0.linear", "interactions.1.conv_tp_weights", "readouts.1.linear_1"]
BANDS = {"float32": (0.2, 1.1), "tf32": (0.3, 1.2), "bfloat16": (0.3, 1.1), "float16": (0.3, 1.1)}


@pytest.mark.parametrize("block", LINEAR)
@pytest.mark.parametrize("fmt", sorted(BANDS))
def test_output_ratios_lie_in_one_narrow_band(judge: Callable[..., Record], block: str, fmt: str) -> None:
    cell = judge(block, fmt, "forward")
    low, high = BANDS[fmt]
    rms = cell.quantities[0].rms
    assert rms is not None
    assert low < rms < high


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
