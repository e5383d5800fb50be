"""A model with a policy as a file: it comes back as it was, and what does not belong together is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms

import mpcheck.policy
from mpcheck._errors import InputError
from mpcheck._files.stored import Model
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.load import load_model
from mpcheck.policy.evaluation import Tensors, evaluate
from mpcheck.policy.rules import builtin
from mpcheck.policy.running.deployed import about, beside, load, save


def written(model: torch.nn.Module, folder: Path, name: str = "linear-bf16", source: torch.nn.Module | None = None) -> Path:
    made = mpcheck.policy.apply(model, builtin()[name], source=source)
    path = folder / "own.model"
    save(made, path, model=Model(name="own", digest="0"), backend="e3nn", system="water", errors={"force_meV_per_A": 1.5}, versions={"torch": "2"})
    return path


@pytest.mark.parametrize("name", ["float64", "linear-bf16", "int8w+fp16", "float8_e4m3fn", "tf32", "autocast-bf16", "all-bf16"])
def test_it_comes_back_to_the_bit(model: torch.nn.Module, graph: Tensors, tmp_path: Path, name: str) -> None:
    made = mpcheck.policy.apply(model, builtin()[name])
    again = load(written(model, tmp_path, name))
    own, other = evaluate(made, graph), evaluate(again, graph)
    assert torch.equal(own.forces, other.forces)
    assert torch.equal(own.energy, other.energy)
    assert again.notes == made.notes
    assert {n: t.dtype for n, t in made.state_dict().items()} == {n: t.dtype for n, t in again.state_dict().items()}


def test_of_cuequivariance(model: torch.nn.Module, cueq: BackendModel, graph: Tensors, tmp_path: Path) -> None:
    again = load(written(cueq.model, tmp_path, source=model))
    own = evaluate(mpcheck.policy.apply(cueq.model, builtin()["linear-bf16"], source=model), graph)
    assert torch.equal(evaluate(again, graph).forces, own.forces)


def test_int8_is_stored_once(model: torch.nn.Module) -> None:
    made = mpcheck.policy.apply(model, builtin()["int8w+fp16"])
    linear = made.model.get_submodule("interactions.1.linear")
    codes = [t for n, t in linear.named_buffers() if n.endswith("codes")]
    assert [t.dtype for t in codes] == [torch.int8]
    assert sum(t.numel() for t in codes) == sum(p.numel() for p in model.get_submodule("interactions.1.linear").parameters())
    assert sum(p.untyped_storage().nbytes() for p in linear.parameters()) <= 8, "the weights that nothing reads take no room"


def test_the_calculator_around_it(model: torch.nn.Module, frames: list[Atoms], graph: Tensors, tmp_path: Path) -> None:
    atoms = frames[1].copy()
    path = written(model, tmp_path)
    atoms.calc = mpcheck.policy.calculator(path)
    expected = evaluate(load(path), graph)
    assert np.allclose(atoms.get_forces(), expected.forces[len(frames[0]) :], atol=1e-5)
    with pytest.raises(InputError, match="default_dtype='float64'"):
        mpcheck.policy.calculator(path, default_dtype="float64")


def test_what_is_told_beside_it(model: torch.nn.Module, tmp_path: Path) -> None:
    document = about(written(model, tmp_path))
    assert document.policy == builtin()["linear-bf16"]
    assert document.errors == {"force_meV_per_A": 1.5}
    assert (document.system, document.backend) == ("water", "e3nn")


def test_no_session_judges_it_as_if_it_were_the_model(model: torch.nn.Module, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"runs by a policy \(linear-bf16\)") as caught:
        load_model(str(written(model, tmp_path)))
    assert "\n" not in str(caught.value)


def test_files_that_do_not_belong_together(model: torch.nn.Module, tmp_path: Path) -> None:
    path = written(model, tmp_path)
    told = beside(path).read_text()
    with pytest.raises(InputError, match=r"missing\.model does not exist"):
        load(tmp_path / "missing.model")
    shutil.copy(path, tmp_path / "lonely.model")
    with pytest.raises(InputError, match=r"lonely\.model\.policy\.json is missing"):
        load(tmp_path / "lonely.model")
    for change, said in (
        ({"sha256": "0" * 64}, "its sha256 differs"),
        ({"policy": {"name": "other"}}, "has policy linear-bf16, not the other"),
        ({"schema_version": 2}, "schema_version"),
        ({"extra": 1}, "extra"),
        ({"policy": {"name": "x", "base": "float31"}}, "policy.base"),
    ):
        beside(path).write_text(json.dumps(json.loads(told) | change))
        with pytest.raises(InputError, match=said) as caught:
            load(path)
        assert "\n" not in str(caught.value)
    beside(path).write_text(told[: len(told) // 2])
    with pytest.raises(InputError, match=r"own\.model\.policy\.json"):
        load(path)


def test_a_model_without_a_policy(model: torch.nn.Module, tmp_path: Path) -> None:
    path = written(model, tmp_path)
    torch.save(model, path)
    document = json.loads(beside(path).read_text())
    beside(path).write_text(json.dumps(document | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}))
    with pytest.raises(InputError, match="has no policy"):
        load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("errors", {"force_meV_per_A": 0.0}), ("errors", {}), ("backend", "cueq"), ("system", "diamond"), ("notes", ["fine"]), ("versions", {})],
)
def test_what_is_told_beside_it_cannot_be_changed(model: torch.nn.Module, tmp_path: Path, field: str, value: object) -> None:
    path = written(model, tmp_path)
    beside(path).write_text(json.dumps(json.loads(beside(path).read_text()) | {field: value}))
    with pytest.raises(InputError, match=rf"own\.model\.policy\.json: field {field} is not as") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "", "meta", "cpu:0", "cuda:-1", *([] if torch.cuda.is_available() else ["cuda", "cuda:1"])])
def test_a_device_that_is_not_there(model: torch.nn.Module, tmp_path: Path, device: str) -> None:
    path = written(model, tmp_path)
    for call in (mpcheck.policy.calculator, load):
        with pytest.raises(InputError, match="device"):
            call(path, device=device)
    with pytest.raises(InputError, match="device"):
        mpcheck.policy.apply(model, builtin()["float32"], device=device)
