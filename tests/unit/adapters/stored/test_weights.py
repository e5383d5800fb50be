"""The advice that a checkpoint's refusal gives is followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from mpcheck.adapters.load import load_model, load_object
from tests.unit.adapters.loading import refusal
from tests.unit.adapters.samples import ARCHITECTURE

pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit"), pytest.mark.usefixtures("nothing_global_changes")]


def checkpoint(model: torch.nn.Module) -> dict[str, Any]:
    """As upstream's training writes it; the scheduler's best loss is a number of numpy's."""
    optimizer = torch.optim.Adam(model.parameters(), amsgrad=True)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    scheduler.best = np.float64(0.25)  # type: ignore[assignment]
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "lr_scheduler": scheduler.state_dict()}


def prefixed(model: torch.nn.Module) -> dict[str, Any]:
    return {"state_dict": {f"module.{n}": t for n, t in model.state_dict().items()}, "epoch": 3}


@pytest.mark.parametrize(("make", "key"), [(checkpoint, "model"), (prefixed, "state_dict"), (lambda m: m.state_dict(), None)])
def test_the_advice_of_a_refusal_works(tiny: torch.nn.Module, tmp_path: Path, make: Any, key: str | None) -> None:
    path = tmp_path / "run_epoch-3.pt"
    torch.save(make(tiny), path)
    advised = refusal(str(path)).rpartition("ARCHITECTURE.yaml")[2]
    with (tmp_path / "tiny.yaml").open("w", encoding="utf-8") as stream:
        YAML().dump(ARCHITECTURE | {"weights_seed": 5}, stream)
    loaded = load_model(f"{tmp_path / 'tiny.yaml'}{advised}")
    assert loaded.digest == load_object(tiny).digest
    assert loaded.source.get("entry") == key
