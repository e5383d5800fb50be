"""The twin is float64, whatever upstream leaves behind."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from mpcheck._cuda import standing_in
from mpcheck.adapters.backends import cueq
from mpcheck.adapters.backends.conversion import Converted
from mpcheck.adapters.backends.cueq import BACKEND, BACKEND_UNFUSED, CueqModel
from mpcheck.adapters.blocks import module_blocks
from mpcheck.formats import FORMATS


def test_cueq_restores_the_default_dtype(tiny: torch.nn.Module, tiny_cueq: CueqModel) -> None:
    assert torch.get_default_dtype() == torch.float32
    assert {p.dtype for p in tiny_cueq.model.parameters()} == {torch.float64}


def test_a_format_s_roundoff_knows_the_naive_method(tiny_cueq: CueqModel) -> None:
    blocks = {b.name: b for b in module_blocks(tiny_cueq.source)}
    fmt = FORMATS["bfloat16"]
    product = tiny_cueq.roundoff(blocks["interactions.0.conv_tp"], fmt)
    assert product["inner"] == fmt.roundoff["operation"], "paths are added up in the storage type"
    assert tiny_cueq.roundoff(blocks["radial_embedding.bessel_fn"], fmt) == fmt.on("cpu"), "what it leaves to torch rounds as torch does"
    contraction = blocks["products.0.symmetric_contractions"]
    assert tiny_cueq.indexed(contraction) and tiny_cueq.without_gradient(contraction, "y")
    assert tiny_cueq.lacking(contraction) == "cueq-kernels" and "math float32" in tiny_cueq.note(contraction, fmt)


def test_a_missing_package_is_told_before_a_missing_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BACKEND.unavailable("cpu") is None
    monkeypatch.setitem(sys.modules, "cuequivariance_torch", None)
    why = BACKEND.unavailable("cuda")
    assert why is not None and (why.code, why.lacking) == ("not-installed", "cueq")


def test_convolutions_that_upstream_fuses_on_cuda_need_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them upstream's model raises AttributeError when it is called: that is told before anything is built."""
    monkeypatch.setitem(sys.modules, "cuequivariance_ops_torch", None)
    with standing_in(SimpleNamespace(is_available=lambda: True)):
        why = BACKEND.unavailable("cuda:0")
        assert why is not None and (why.code, why.lacking) == ("not-installed", "cueq")
        assert "cuequivariance_ops_torch cannot be imported" in why.text and "install cuequivariance-ops-torch-cu12" in why.text
        assert BACKEND_UNFUSED.unavailable("cuda") is None and BACKEND.unavailable("cpu") is None
        monkeypatch.setitem(sys.modules, "cuequivariance_ops_torch", ModuleType("cuequivariance_ops_torch"))
        assert BACKEND.unavailable("cuda") is None


def test_an_unfused_twin_is_converted_as_for_a_cpu_and_moved(tiny: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstream fuses a convolution with its scatter wherever it is told of a GPU: ``meta`` stands for one."""
    told = []

    def to_cueq(model: torch.nn.Module, layout: str, device: torch.device) -> Converted:
        told.append((layout, device.type))
        return Converted(torch.nn.Linear(1, 1))

    monkeypatch.setattr(cueq, "to_cueq", to_cueq)
    for backend in (BACKEND, BACKEND_UNFUSED):
        made = backend.build(tiny, torch.device("meta"))
        assert {p.device.type for p in made.model.parameters()} == {"meta"} and made.name == backend.name
    assert told == [("ir_mul", "meta"), ("ir_mul", "cpu")]


def test_nothing_is_fused_on_a_cpu() -> None:
    why = BACKEND_UNFUSED.unavailable("cpu")
    assert why is not None and why.code == "not-applicable" and "this would be cueq once more" in why.text
    missing = BACKEND_UNFUSED.unavailable("cuda")
    assert missing is None or missing.lacking == "cuda"
