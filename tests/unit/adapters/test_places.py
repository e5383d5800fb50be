"""Where the code of a model's submodules is written."""

from __future__ import annotations

import inspect
from pathlib import Path

import torch

from mpcheck.adapters.load import load_model
from mpcheck.adapters.places import code_of, places, written
from mpcheck.adapters.upstream import mace, o3


def test_a_place_is_the_file_below_its_package_and_the_line_of_forward() -> None:
    code = code_of(load_model("builtin:hco").module)
    file, _, owner = code["products.0"].partition(" ")
    name, _, line = file.rpartition(":")
    assert (name, owner) == ("mace/modules/blocks.py", "EquivariantProductBasisBlock")
    lines = Path(inspect.getsourcefile(mace.modules.EquivariantProductBasisBlock) or "").read_text(encoding="utf-8").splitlines()
    assert lines[int(line) - 1].lstrip().startswith("def forward")
    assert code["interactions.0.linear"] == code["readouts.0.linear"]
    assert not any(str(Path.home()) in text or text.startswith("/") for text in code.values())


def test_what_torch_made_is_written_nowhere() -> None:
    assert written(torch.nn.Linear) is None and written(torch.jit.RecursiveScriptModule) is None
    assert "interactions" not in places(load_model("builtin:hco").module)  # a ModuleList


def test_a_class_that_inherits_its_forward_is_told_by_itself() -> None:
    class Own(o3.Linear):
        pass

    found = written(Own)
    assert found is not None and found.owner == "Own" and Path(found.file).name == "test_places.py"
