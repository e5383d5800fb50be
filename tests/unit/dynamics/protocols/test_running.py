"""Runs: the same to the bit when they are gone on with, stopped where they explode, never taken for another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpcheck._errors import InputError
from mpcheck.dynamics.protocols import chunks, running
from mpcheck.dynamics.protocols.running import FINISHED, Run, Runner
from tests.unit.dynamics.toy import liquid, protocol

STEPS = 60


def run(folder: Path, ensemble: str, steps: int = STEPS, about: Any = None, **wrong: Any) -> Run:
    atoms = liquid(**wrong)
    return Runner(atoms, protocol(ensemble), 5, folder, about or {"run": ensemble}).run(steps)


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SAMPLES", 20)


@pytest.mark.parametrize("ensemble", ["nve", "langevin", "npt"])
@pytest.mark.parametrize("killed_after", [25, 50])
def test_a_killed_run_goes_on_to_the_bit(ensemble: str, killed_after: int, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", ensemble)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", ensemble, breaks_after=killed_after)
    assert chunks.read(tmp_path / "killed"), "nothing was written before it was killed"
    resumed = run(tmp_path / "killed", ensemble)
    assert resumed.ended == FINISHED and resumed.step == STEPS
    for part in ("series", "frames"):
        for name, values in getattr(whole, part).items():
            if "recent" not in name:  # of the frame after a restart they are not known
                np.testing.assert_array_equal(getattr(resumed, part)[name], values, err_msg=name)


def test_a_finished_run_is_taken_and_a_longer_one_goes_on(tmp_path: Path) -> None:
    first = run(tmp_path, "langevin")
    again = run(tmp_path, "langevin", breaks_after=0)
    np.testing.assert_array_equal(again.series["potential"], first.series["potential"])
    longer = run(tmp_path, "langevin", steps=STEPS + 20)
    assert longer.step == STEPS + 20 and len(longer.series["step"]) == STEPS + 21
    np.testing.assert_array_equal(longer.series["potential"], run(tmp_path / "whole", "langevin", steps=STEPS + 20).series["potential"])


def test_another_run_of_the_place_is_made_anew(tmp_path: Path) -> None:
    run(tmp_path, "nve", about={"model": "a"})
    found = run(tmp_path, "nve", steps=20, about={"model": "b"})
    assert found.step == 20 and all(dict(c.about) == {"model": "b"} for c in chunks.read(tmp_path))


def test_a_damaged_file_is_a_line(tmp_path: Path) -> None:
    run(tmp_path, "nve")
    place = sorted(tmp_path.glob("chunk-*"))[0]
    place.write_bytes(place.read_bytes()[:200])
    with pytest.raises(InputError, match=r"chunk-00000.* is damaged .*remove its directory"):
        run(tmp_path, "nve")


def test_a_foreign_file_is_a_line(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(1)}, tmp_path / "chunk-00000.safetensors")
    with pytest.raises(InputError, match="has schema 'none'"):
        run(tmp_path, "nve")


@pytest.mark.parametrize(("hot", "why"), [(5000.0, "K, where the protocol has 100"), (3e6, "eV/Å|no numbers|K, where")])
def test_an_exploding_run_is_stopped_and_told_apart(hot: float, why: str, tmp_path: Path) -> None:
    found = run(tmp_path, "nve", temperature=hot)
    assert not found.finished and found.step < STEPS
    assert pytest.importorskip("re").search(why, found.ended)
    assert not run(tmp_path, "nve", temperature=hot, breaks_after=0).finished, "it stays so when it is asked for again"


def test_what_is_noted_is_what_the_atoms_have(tmp_path: Path) -> None:
    atoms = liquid()
    found = Runner(atoms, protocol("nve"), 5, tmp_path, {}).run(STEPS)
    assert found.series["potential"][-1] == atoms.get_potential_energy()
    np.testing.assert_array_equal(found.frames["positions"][-1], atoms.positions)
    np.testing.assert_array_equal(found.frames["recent_positions"][-1][-1], atoms.positions)
    assert found.frames["positions"].dtype == np.float64
    np.testing.assert_allclose(found.series["pressure"][-1], -atoms.get_stress(include_ideal_gas=True)[:3].sum() / 3, rtol=1e-12)
    np.testing.assert_allclose(found.series["temperature"][-1], atoms.get_temperature() * 32 / 31, rtol=1e-12)
    assert found.series["conserved"].std() < 0.05 * found.series["kinetic"].std()
    assert found.seconds > 0 and found.around >= 0
