"""Trajectories come back bit by bit, or with one clear line."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_narrow

from mpcheck._errors import InputError
from mpcheck.dynamics.stored import load, save
from mpcheck.dynamics.trajectory import Series, Trajectory
from tests.unit.dynamics.samples import gas, series

ABOUT = {"mpcheck": "trajectory", "schema_version": "1"}


@pytest.mark.parametrize("scalars", [None, series()])
def test_round_trip(tmp_path: Path, scalars: Series | None) -> None:
    one = replace(gas(), series=scalars)
    save(tmp_path / "run.safetensors", one)
    again = load(tmp_path / "run.safetensors")
    for field in fields(Trajectory):
        if field.name != "series":
            np.testing.assert_array_equal(getattr(again, field.name), getattr(one, field.name))
    assert (again.series is None) == (scalars is None)
    if again.series is not None and scalars is not None:
        np.testing.assert_array_equal(again.series.pressure, scalars.pressure)
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"]


def test_what_is_damaged_is_told(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    with pytest.raises(InputError, match="does not exist"):
        load(path)
    save(path, replace(gas(), series=series()))
    whole = path.read_bytes()
    for broken in (whole[:-100], whole[: len(whole) // 2], b"{}", b""):
        path.write_bytes(broken)
        with pytest.raises(InputError, match=r"trajectory .*run\.safetensors is damaged: .*run the simulation again"):
            load(path)
    with pytest.raises(InputError, match="a directory"):
        load(tmp_path)


def test_numbers_of_a_format_that_numpy_has_not(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    save_narrow({"masses": torch.ones(3, dtype=torch.bfloat16)}, path, metadata=ABOUT)
    with pytest.raises(InputError, match=r"damaged|missing"):
        load(path)


def test_fields_are_all_there_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    save(path, replace(gas(), series=series()))
    arrays = load_file(path)
    lacking = {name: array for name, array in arrays.items() if name != "series.volume"}
    for changed, about, said in (
        (lacking, ABOUT, "field volume is missing"),
        ({**arrays, "extra": arrays["time"]}, ABOUT, "field extra is unknown"),
        ({**arrays, "masses": arrays["masses"][:-1]}, ABOUT, "masses has shape"),
        ({**arrays, "timestep_fs": np.ones(2)}, ABOUT, "damaged"),
        (arrays, {"mpcheck": "trajectory", "schema_version": "2"}, "no trajectory of version 1"),
        (arrays, None, "no trajectory of version 1"),
    ):
        save_file(changed, path, metadata=about)
        with pytest.raises(InputError, match=said):
            load(path)
