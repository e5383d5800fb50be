"""Pickles from other devices, of other packages and of other versions."""

from __future__ import annotations

import sys
import types
import zipfile
from pathlib import Path

import pytest
import torch

from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.load import load_model
from mpcheck.adapters.upstream import environment_restored
from tests.unit.adapters.loading import SAFE, refusal
from tests.unit.adapters.samples import ARCHITECTURE
from tests.unit.adapters.stored.devices import saved_on

with environment_restored(SAFE):
    import mace.modules.blocks
pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"), pytest.mark.usefixtures("nothing_global_changes")]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with coupling constants in its TorchScript (l = 2), as a file."""
    path = tmp_path_factory.mktemp("devices") / "whole.model"
    torch.save(build_model(Architecture.model_validate(ARCHITECTURE | {"max_ell": 2})), path)
    return path


@pytest.mark.parametrize("device", ["cuda:0", "cuda:3", "cuda", "mps", "mps:0", "xpu:0", "hpu:0"])
def test_models_saved_on_devices_that_are_not_here(saved: Path, tmp_path: Path, device: str) -> None:
    path = tmp_path / "moved.model"
    path.write_bytes(saved_on(device, saved.read_bytes()))
    assert device.encode() in path.read_bytes()
    load = torch.jit.load
    assert load_model(str(path)).digest == load_model(str(saved)).digest
    assert torch.jit.load is load


@pytest.mark.parametrize("package", ["openequivariance", "les"])
def test_a_package_that_is_not_here_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str) -> None:
    made = types.ModuleType(package)
    made.Product = type("Product", (torch.nn.Module,), {"__module__": package, "__qualname__": "Product"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, package, made)
    torch.save(made.Product(), tmp_path / "foreign.model")
    monkeypatch.delitem(sys.modules, package)
    message = refusal(str(tmp_path / "foreign.model"))
    assert package in message and "not installed here" in message
    assert ("give the e3nn model that was converted" in message) is (package == "openequivariance")


def test_a_class_of_another_version_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    later = type("LaterBlock", (torch.nn.Module,), {"__module__": "mace.modules.blocks", "__qualname__": "LaterBlock"})
    monkeypatch.setattr(mace.modules.blocks, "LaterBlock", later, raising=False)
    torch.save(later(), tmp_path / "later.model")
    monkeypatch.undo()
    message = refusal(str(tmp_path / "later.model"))
    assert f"mace.modules.blocks.LaterBlock, which the installed mace {mace.__version__} lacks" in message


def test_an_exported_program_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt2", "w") as archive:
        archive.writestr("x/archive_format", "pt2")
    assert "torch.export package" in refusal(str(tmp_path / "x.pt2"))
