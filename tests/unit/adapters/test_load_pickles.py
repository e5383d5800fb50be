"""Pickled models, whole, damaged or of something else, and models that upstream downloads."""

from __future__ import annotations

import logging
import pickle
import sys
import urllib.error
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mpcheck.adapters.load import load_model
from mpcheck.adapters.upstream import environment_restored
from tests.unit.adapters.loading import SAFE, refusal

with environment_restored(SAFE):
    from mace.calculators import foundations_models
pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"), pytest.mark.usefixtures("nothing_global_changes")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pickles")
    torch.save(load_model("builtin:hco").module, found / "hco.model")
    return found


def poisoned(root: Path) -> torch.nn.Module:
    module = load_model(str(root / "hco.model")).module
    next(module.parameters()).data.fill_(float("inf"))
    return module


OBJECTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "dictionary": (lambda _: {"epoch": 1, "model": {}}, "is a dictionary ('epoch', 'model') without a model or its weights"),
    "state": (lambda _: OrderedDict(a=torch.ones(1)), "is a dictionary (a state dict: weights only)"),
    "linear": (lambda _: torch.nn.Identity(), "holds a Identity, not a MACE model"),
    "tensor": (lambda _: torch.ones(2), "holds a Tensor, not a MACE model"),
    "poisoned": (poisoned, "holds NaN or infinity"),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_pickles_of_something_else(root: Path, tmp_path: Path, kind: str) -> None:
    make, reason = OBJECTS[kind]
    path = tmp_path / "other.model"
    torch.save(make(root), path)
    message = refusal(str(path))
    assert reason in message
    assert str(path) in message


def test_compiled_model(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Identity()), tmp_path / "compiled.model")
    assert "TorchScript" in refusal(str(tmp_path / "compiled.model"))


def test_damaged_models(root: Path, tmp_path: Path) -> None:
    whole = (root / "hco.model").read_bytes()
    path = tmp_path / "damaged.model"
    for content in (b"", b"garbage", whole[: len(whole) // 2], whole[:-1], whole[1:], pickle.dumps(3), b"\x80\x02cnowhere\nnothing\n."):
        path.write_bytes(content)
        assert f"model {path} cannot be loaded" in refusal(str(path))


@pytest.mark.parametrize("error", [urllib.error.URLError("no route"), RuntimeError("two\nlines"), AssertionError()])
def test_foundation_model_without_network(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    for name in ("mace.calculators", "mace.calculators.mace"):
        monkeypatch.delitem(sys.modules, name)  # their import leaves a variable behind

    def fail(**kwargs: object) -> None:
        torch.set_default_dtype(torch.float64)
        logging.root.setLevel(logging.CRITICAL)
        print("downloading")
        raise error

    monkeypatch.setattr(foundations_models, "mace_off", fail)
    message = refusal("mace_off:small")
    assert message.startswith("model mace_off:small: upstream's loader failed")
    assert "network" in message


def test_foundation_model(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def download(model: str, **kwargs: object) -> object:
        print("downloading", model)
        torch.set_default_dtype(torch.float64)
        return torch.load(root / "hco.model")  # a pickle: the loader must allow it

    monkeypatch.setattr(foundations_models, "mace_mp", download)
    assert load_model("mace_mp:small").digest == load_model("builtin:hco").digest
    assert capsys.readouterr().out == ""
