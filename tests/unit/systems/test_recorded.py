"""Files of recorded calls that cannot be trusted are refused in one line, whatever is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mpcheck._errors import InputError
from mpcheck.systems.recorded import HEADER, RecordedFile
from tests.unit.recording.samples import recorded, resolve

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("sound") / "md.capture")


def altered(sound: Path, target: Path, change: Callable[[Tensors, dict[str, Any]], None]) -> Path:
    with safe_open(sound, framework="pt") as file:
        header = json.loads(file.metadata()[HEADER])
    tensors = load_file(sound)
    change(tensors, header)
    save_file(tensors, target, {HEADER: json.dumps(header)})
    return target


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        resolve(path)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("bytes_left", [0, 5, 8, 300, 5000])
def test_a_truncated_file_is_refused(sound: Path, tmp_path: Path, bytes_left: int) -> None:
    path = tmp_path / "cut.capture"
    path.write_bytes(sound.read_bytes()[:bytes_left])
    assert "damaged, truncated" in refusal(path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.capture"
    save_file({"weight": torch.zeros(2)}, path)
    assert "holds no recorded calls" in refusal(path)
    path.write_text("3\n\nH 0 0 0\n")
    assert "damaged, truncated" in refusal(path)
    save_file({"weight": torch.zeros(2)}, path, {HEADER: "{"})
    assert "not valid JSON" in refusal(path)


def _set(name: str, value: Any) -> Callable[[Tensors, dict[str, Any]], None]:
    return lambda tensors, header: header.update({name: value})


def _put(name: str, make: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Tensors, dict[str, Any]], None]:
    return lambda tensors, header: tensors.update({f"0.{name}": make(tensors[f"0.{name}"]).contiguous()})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("schema_version", 2), "schema_version is 2, this mpcheck reads 1"),
        (_set("seen", "many"), "field seen"),
        (_set("calls", []), "no calls in it"),
        (_put("edge_index", lambda t: t + 1000), "edge_index names atoms beyond"),
        (_put("edge_index", lambda t: -t), "edge_index names atoms beyond"),
        (_put("edge_index", lambda t: t.double()), "whole numbers expected"),
        (_put("shifts", lambda t: t[:-1]), "shifts is of shape"),
        (_put("positions", lambda t: t[:, :2]), "positions is of shape"),
        (_put("ptr", lambda t: t + 1), "batch and ptr do not fit together"),
        (_put("batch", lambda t: t - 1), "batch and ptr do not fit together"),
        (_put("head", lambda t: t + 5), "head 5, and the recorded model has Default"),
        (_put("positions", lambda t: t * float("nan")), "positions holds numbers that are not finite"),
        (_put("atomic_numbers", lambda t: t * 0 + 6), "has C, which the model lacks"),
        (_put("atomic_numbers", lambda t: t * 0 - 3), "atomic number -3"),
        (lambda tensors, header: tensors.pop("0.shifts"), "no tensor shifts"),
        (lambda tensors, header: header["calls"].append(header["calls"][0]), "call 1: no tensor atomic_numbers"),
    ],
)
def test_wrong_fields_and_tensors_are_named(sound: Path, tmp_path: Path, change: Any, said: str) -> None:
    assert said in refusal(altered(sound, tmp_path / "wrong.capture", change))


def test_a_sound_one_is_taken_as_it_is_after_the_same_way(sound: Path, tmp_path: Path) -> None:
    same = altered(sound, tmp_path / "same.capture", lambda tensors, header: None)
    assert resolve(same).digest == resolve(sound).digest
    assert RecordedFile(same).header == RecordedFile(sound).header
