"""The load test of OpenEquivariance says what is missing, and names what is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mpcheck._cuda import standing_in
from mpcheck.adapters.backends import oeq_products
from mpcheck.adapters.backends.oeq_products import PRODUCTS, distances, lacks, loaded
from mpcheck.survey.found import FILE
from mpcheck.survey.probes.oeq import compared, findings, main
from tests.fakes.oeq import posing
from tests.fakes.posing.gpu import Gpu

ONE = PRODUCTS[0]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpcheck.survey.probes.oeq.PRODUCTS", (ONE,))


def test_without_a_device_or_the_package_it_is_unsupported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["cpu", str(tmp_path)]) == 0
    (found,) = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))["found"]
    assert (found["name"], found["verdict"], found["lacking"]) == ("load", "unsupported", "cuda")
    monkeypatch.setitem(sys.modules, "openequivariance", None)
    with standing_in(Gpu()):
        (told,) = findings("cuda")
    assert (told.verdict, told.lacking) == ("unsupported", "oeq") and "cannot be imported" in told.reason


def test_every_product_in_both_types(few: None) -> None:
    with posing():
        found = list(findings("cuda"))
    assert [(f.name, f.format, f.verdict) for f in found] == [("load", "", "pass"), (ONE.name, "float64", "pass"), (ONE.name, "float32", "pass")]
    assert set(found[1].figures) == {"result", "derivative by x", "derivative by y", "derivative by w"}


def test_a_wrong_derivative_and_what_raises_are_red(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    with posing() as library:
        sound = library.kernels.product
        monkeypatch.setattr(library.kernels, "product", lambda p, x, y, w: sound(p, x, y, w) + 0.0 * (w - w.detach()).sum() + (y - y.detach()).sum())
        wrong = compared(ONE, torch.float32, torch.device("cuda"))
        assert wrong.verdict == "fail" and wrong.reason.startswith("derivative by y is off by") and "result" not in wrong.reason

        def broken(*_: Any) -> torch.Tensor:
            raise RuntimeError("no kernel image is available")

        monkeypatch.setattr(library.kernels, "product", broken)
        raised = compared(ONE, torch.float32, torch.device("cuda"))
        assert raised.verdict == "fail" and "no kernel image is available" in raised.reason
        monkeypatch.setattr(library.kernels, "product", lambda p, x, y, w: sound(p, x, y, w) * float("nan"))
        assert compared(ONE, torch.float64, torch.device("cuda")).verdict == "fail", "what is no number is no distance"


def test_a_version_without_layouts_is_asked_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with posing() as library:
        monkeypatch.setattr(library, "TPProblem", lambda first, second, out, instructions, shared_weights: None)
        assert {p.layout for p in PRODUCTS if lacks(p)} == {"ir_mul"} and loaded() == "0.7.0"


def test_it_tells_a_product_in_float32_from_one_in_float64() -> None:
    import torch

    with posing():
        assert 0 < max(distances(ONE, torch.float32, torch.device("cuda")).values()) < oeq_products.GROSS
