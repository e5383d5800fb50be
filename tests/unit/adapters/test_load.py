"""What a user names becomes a float64 model, or one line; nothing global is left changed."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mpcheck.adapters.load import LoadedModel, load_model
from tests.unit.adapters.loading import SAFE, refusal

MODELS = Path(str(resources.files("mpcheck"))) / "data" / "models"
TINY = """\
schema_version: 1
name: tiny
elements: [O, H]
atomic_energies: {H: -13.6, O: -430.0}
r_max: 3.0
max_ell: 1
hidden_irreps: 2x0e + 2x1o
MLP_irreps: 2x0e
correlation: 2
num_interactions: 1
radial_MLP: [4]
avg_num_neighbors: 2.0
"""
pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"), pytest.mark.usefixtures("nothing_global_changes")]
State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def hco() -> LoadedModel:
    return load_model("builtin:hco")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """arch.yaml, a state dict of it and the same model pickled."""
    found = tmp_path_factory.mktemp("models")
    (found / "arch.yaml").write_text(TINY, encoding="utf-8")
    module = load_model(str(found / "arch.yaml")).module
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.25)
    save_file(module.state_dict(), found / "weights.safetensors")
    torch.save(module.state_dict(), found / "weights.pt")
    torch.save(module, found / "tiny.model")
    torch.save(module.float(), found / "single.model")
    return found


def test_builtin(hco: LoadedModel) -> None:
    assert (hco.elements, hco.r_max, hco.heads, hco.stored_dtype) == (["H", "C", "O"], 4.5, ["Default"], "float64")
    assert not hco.module.training
    assert {p.dtype for p in hco.module.parameters()} == {torch.float64}
    assert hco.source["weights"] == "hco.safetensors"


def test_recipes() -> None:
    odd = load_model("recipe:odd")
    assert {p.dtype for p in odd.module.parameters()} == {torch.float64}
    assert odd.source["recipe"] == "odd"
    assert odd.digest == load_model("recipe:odd").digest


@pytest.mark.parametrize("spec", ["builtin:", "builtin:nope", "builtin:../hco", "builtin:recipe-odd", "recipe:", "recipe:nope", "recipe:odd:Qq", "recipe:odd:H-H", "missing.model", "missing.yaml", "nope:small", "mace_off:", "", "/", "n" * 5000, "builtin:" + "n" * 5000, "recipe:" + "n" * 5000])  # fmt: skip  # noqa: E501
def test_unknown_names(spec: str) -> None:
    assert spec[:40] in refusal(spec)  # the middle of a long line is left out


def test_architecture_without_weights_draws_them_from_its_seed(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "seeded.yaml"
    path.write_text(TINY + "weights_seed: 3\n", encoding="utf-8")
    seeded, again, plain = load_model(str(path)), load_model(str(path)), load_model(str(root / "arch.yaml"))
    assert seeded.digest == again.digest != plain.digest
    assert plain.elements == ["H", "O"]


@pytest.mark.parametrize("weights", ["weights.safetensors", "weights.pt"])
def test_architecture_with_weights(root: Path, tmp_path: Path, weights: str) -> None:
    named = load_model(f"{root / 'arch.yaml'}+{root / weights}")
    shutil.copy(root / "arch.yaml", tmp_path / "beside.yaml")
    shutil.copy(root / weights, (tmp_path / "beside").with_suffix(Path(weights).suffix))
    beside = load_model(str(tmp_path / "beside.yaml"))
    pickled = load_model(str(root / "tiny.model"))
    assert named.digest == beside.digest == pickled.digest != load_model(str(root / "arch.yaml")).digest
    assert named.source["weights"] == weights


def test_plus_signs_in_file_names(root: Path, tmp_path: Path) -> None:
    for name in ("ethanol+water.yaml", "H+.model"):
        shutil.copy(root / ("arch.yaml" if name.endswith("yaml") else "tiny.model"), tmp_path / name)
    shutil.copy(root / "weights.pt", tmp_path / "a+b.pt")
    expected = load_model(str(root / "tiny.model")).digest
    assert load_model(str(tmp_path / "ethanol+water.yaml")).digest == load_model(str(root / "arch.yaml")).digest
    assert load_model(f"{tmp_path / 'ethanol+water.yaml'}+{tmp_path / 'a+b.pt'}").digest == expected
    assert load_model(str(tmp_path / "H+.model")).digest == expected


def poison(state: State) -> object:
    name = next(n for n, v in state.items() if v.is_floating_point() and v.numel() > 1)
    return state | {name: torch.full_like(state[name], float("nan"))}


WRONG: dict[str, tuple[Callable[[State], object], str]] = {
    "missing": (lambda s: {k: v for k, v in s.items() if k != "atomic_numbers"}, "1 missing (first: ['atomic_numbers']), 0 unknown"),
    "extra": (lambda s: s | {"surplus": torch.ones(1)}, "0 missing (first: []), 1 unknown (first: ['surplus'])"),
    "misshapen": (lambda s: s | {"r_max": torch.ones(7)}, "r_max is [7], the architecture wants []"),
    "nan": (poison, "holds NaN or infinity"),
    "a list": (lambda s: list(s.values()), "not a state dict"),
    "a checkpoint without weights": (lambda s: {"optimizer": {"state": s}, "epoch": 3}, "not a state dict"),
    "adapters": (lambda s: s | {"readouts.0.linear.lora_A.weight": torch.ones(1)}, "merge_lora_weights"),
    "a converted model's": (lambda s: s | {"products.0.symmetric_contractions.weight": torch.ones(1)}, "mace_cueq_to_e3nn"),
    "without numbers": (lambda s: s | {"r_max": s["r_max"].to("meta")}, "saved without its numbers"),
    "numbered": (lambda s: s | {1: torch.ones(1)}, "not a state dict"),
    "empty": (lambda _: {}, "missing"),
    "an object": (lambda _: Path("code that must not run"), "not a plain state dict"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_weights_that_do_not_fit(root: Path, tmp_path: Path, kind: str) -> None:
    change, reason = WRONG[kind]
    path = tmp_path / "wrong.pt"
    torch.save(change(load_file(root / "weights.safetensors")), path)
    message = refusal(f"{root / 'arch.yaml'}+{path}")
    assert str(path) in message
    assert reason in message


def test_weights_that_are_not_there(root: Path) -> None:
    assert "weights missing.pt do not exist" in refusal(f"{root / 'arch.yaml'}+missing.pt")
    assert "ARCHITECTURE.yaml+" in refusal(str(root / "weights.safetensors"))


@pytest.mark.parametrize("line", ["hidden_irreps: 2x0e + x", "hidden_irreps: 2x1o", "elements: [H, Qq]", "r_max: -1.0", "interaction_cls: Nope", "correlation: 9", "colour: red", "atomic_energies: {H: .nan, O: 0.0}", "atomic_inter_shift: .inf"])  # fmt: skip  # noqa: E501
def test_bad_architectures(tmp_path: Path, line: str) -> None:
    key = line.partition(":")[0]
    path = tmp_path / "bad.yaml"
    path.write_text("".join(k + "\n" for k in TINY.splitlines() if not k.startswith(key)) + line + "\n", encoding="utf-8")
    message = refusal(str(path))
    assert str(path) in message
    assert key in message or "NaN or infinity" in message


def test_pickled_models(root: Path) -> None:
    double, single = load_model(str(root / "tiny.model")), load_model(str(root / "single.model"))
    assert (double.stored_dtype, single.stored_dtype) == ("float64", "float32")
    assert {p.dtype for p in single.module.parameters()} == {torch.float64}
    assert double.digest != single.digest
    assert double.source["file"] == "tiny.model"


def test_digest_is_of_the_content(hco: LoadedModel, tmp_path: Path) -> None:
    shutil.copy(MODELS / "hco.yaml", tmp_path / "copy.yaml")
    state = load_file(MODELS / "hco.safetensors")
    save_file(state, tmp_path / "copy.safetensors")
    assert load_model(str(tmp_path / "copy.yaml")).digest == hco.digest
    name = next(n for n, p in hco.module.named_parameters() if p.numel() > 1)
    state[name].view(-1)[-1] *= 1 + 2**-52
    save_file(state, tmp_path / "copy.safetensors")
    assert load_model(str(tmp_path / "copy.yaml")).digest != hco.digest
    assert load_model("builtin:hco").digest == hco.digest


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ambient_state_is_kept_whatever_it_is(root: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    before, level = torch.get_default_dtype(), logging.root.level
    monkeypatch.setenv(SAFE, "0")
    try:
        torch.set_default_dtype(dtype)
        logging.root.setLevel(logging.ERROR)
        digests = {load_model(str(root / "tiny.model")).digest, load_model(f"{root / 'arch.yaml'}+{root / 'weights.pt'}").digest}
        assert (len(digests), torch.get_default_dtype(), logging.root.level, os.environ[SAFE]) == (1, dtype, logging.ERROR, "0")
    finally:
        monkeypatch.delenv(SAFE)
        torch.set_default_dtype(before)
        logging.root.setLevel(level)
