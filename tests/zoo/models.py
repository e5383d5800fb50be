"""The models of the zoo: the table, and a model file for each of its rows."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from ase.data import atomic_numbers

from mpcheck._files.yaml import Strict, load_yaml
from mpcheck.adapters.upstream import default_dtype, mace, o3, quiet

TABLE = Path(__file__).with_name("models.yaml")
KEPT = ("refused", "smoke", "class", "elements", "built", "stored", "converted", "lora", "needs", "backends", "atomic_energies")
"""Settings that upstream's constructors do not take."""
IRREPS = ("hidden_irreps", "MLP_irreps", "edge_irreps")
Settings = dict[str, Any]


class Table(Strict):
    """The file: what every model has, and what differs in each, by id."""

    schema_version: Literal[1]
    atomic_energies: dict[str, float]
    base: Settings
    models: dict[str, Settings]


@cache
def table() -> dict[str, Settings]:
    """Settings of every model, whole, by id."""
    read = load_yaml(Table, TABLE, "table of models")
    return {name: {"atomic_energies": read.atomic_energies, **read.base, **changes} for name, changes in read.models.items()}


def lacking(settings: Settings) -> str:
    """The package without which upstream cannot build it, where that is not installed; empty otherwise."""
    needs = str(settings.get("needs", ""))
    return needs if needs and find_spec(needs) is None else ""


def constructor_arguments(settings: Settings) -> dict[str, Any]:
    """What upstream's constructor is called with."""
    elements = sorted(settings["elements"], key=atomic_numbers.__getitem__)
    given = {key: value for key, value in settings.items() if key not in KEPT}
    energies = [settings["atomic_energies"][symbol] for symbol in elements]
    heads = given.get("heads") or ["Default"]
    given["atomic_energies"] = np.array([[e + 0.1 * k for e in energies] for k in range(len(heads))] if "heads" in given else energies)
    given |= {"num_elements": len(elements), "atomic_numbers": [atomic_numbers[s] for s in elements]}
    given |= {key: o3.Irreps(given[key]) for key in IRREPS if key in given}
    given |= {key: mace.modules.interaction_classes[given[key]] for key in ("interaction_cls", "interaction_cls_first")}
    given["gate"] = mace.modules.gate_dict[given["gate"]]
    if "readout_cls" in given:
        given["readout_cls"] = mace.modules.readout_classes[given["readout_cls"]]
    if settings["class"] != "ScaleShiftMACE":
        del given["atomic_inter_scale"], given["atomic_inter_shift"]
    if settings["class"] in ("AtomicDipolesMACE", "AtomicDielectricMACE"):
        given["atomic_energies"] = None
    return given


@contextlib.contextmanager
def weights_of(name: str) -> Iterator[None]:
    """Weights that the id alone determines."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(zlib.crc32(name.encode()))
        yield


def build(name: str, settings: Settings) -> torch.nn.Module:
    """The model as its user has it."""
    with weights_of(name), default_dtype(getattr(torch, settings.get("built", "float64"))), quiet():
        model: torch.nn.Module = getattr(mace.modules, settings["class"])(**constructor_arguments(settings))
        if "lora" in settings:
            from mace.modules.lora import inject_LoRAs

            inject_LoRAs(model, rank=settings["lora"])
        if "converted" in settings:
            from mace.cli.convert_e3nn_cueq import run

            model = run(model, device="cpu", return_model=True, layout=settings["converted"])
        return model.to(getattr(torch, settings.get("stored", "float64")))


def save(name: str, directory: Path) -> Path:
    """Its file, as ``torch.save`` writes it and upstream's trainer does."""
    path = directory / f"{name}.model"
    torch.save(build(name, table()[name]), path)
    return path
