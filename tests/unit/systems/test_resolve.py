"""What a user names becomes checked frames, or one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from ase.build import molecule

from tests.unit.systems.samples import refusal, resolve


@pytest.mark.parametrize(
    ("selection", "indices"), [("", [0]), ("@-1", [5]), ("@::2", [0, 2, 4]), ("@1:3", [1, 2]), ("@:", list(range(6))), ("@3", [3])]
)
def test_frames_of_a_file(directory: Path, selection: str, indices: list[int]) -> None:
    system = resolve(f"{directory / 'frames.extxyz'}{selection}")
    origin = molecule("CH3OH").positions[0, 0]
    assert [round((f.positions[0, 0] - origin) / 0.01) for f in system.frames] == indices


def test_seed_leaves_files_as_they_are(directory: Path) -> None:
    spec = str(directory / "frames.extxyz")
    assert resolve(spec).digest == resolve(spec, seed=7).digest
    assert resolve(spec).digest != resolve(f"{spec}@1").digest


@pytest.mark.parametrize("selection", ["@6", "@-7", "@9:12", "@::0", "@x", "@", "@1:2:3:4", "@1.5"])
def test_selections_that_select_nothing(directory: Path, selection: str) -> None:
    assert "frames.extxyz" in refusal(f"{directory / 'frames.extxyz'}{selection}")


def test_at_sign_in_a_file_name(tmp_path: Path) -> None:
    path = tmp_path / "run@300K.xyz"
    path.write_text("1\n\nH 0 0 0\n2\n\nH 0 0 0\nO 0 0 1\n", encoding="utf-8")
    assert resolve(str(path)).atoms == 1
    assert resolve(f"{path}@1").atoms == 2


@pytest.mark.parametrize("name", ["", "missing.xyz", "missing.xyz@-1", "n" * 5000])
def test_files_that_are_not_there(name: str) -> None:
    assert "does not exist" in refusal(name)


def test_bad_frame_among_good_ones_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.xyz"
    path.write_text("1\n\nH 0 0 0\n1\n\nH nan 0 0\n", encoding="utf-8")
    assert "frame 1" in refusal(f"{path}@:")
    assert resolve(f"{path}@0").atoms == 1
