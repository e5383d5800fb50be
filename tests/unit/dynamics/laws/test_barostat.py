"""The barostat answers with its mass, and one that is wrong by three is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ase import units
from ase.md import nose_hoover_chain

from mpcheck.dynamics.laws import barostat
from mpcheck.dynamics.protocols.protocol import Protocol
from mpcheck.dynamics.protocols.running import Run, Runner
from tests.unit.dynamics.toy import liquid, protocol


def made(folder: Path, own: Protocol, steps: int, atoms: Any = None) -> Run:
    return Runner(liquid() if atoms is None else atoms, own, 5, folder, {}).run(steps)


def _answer(folder: Path) -> Any:
    own = protocol("npt", pressure_bar=5000.0)
    run = made(folder, own, 100)
    target = (100.0, 5000.0 * units.bar, 500.0)
    return barostat.response(run.series["volume"], run.series["pressure"], run.series["kinetic"], 32, own.sample_fs, target)


def test_the_barostat_has_the_mass_of_its_time_constant(tmp_path: Path) -> None:
    found = _answer(tmp_path)
    assert found.state == "holds" and abs(found.measured - 1) < 0.2, found


@pytest.mark.parametrize("factor", [3.0, 1 / 3])
def test_a_barostat_mass_that_is_wrong_by_three_is_seen(factor: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = nose_hoover_chain.IsotropicMTKBarostat.__init__

    def wrong(self: Any, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        self._W *= factor

    monkeypatch.setattr(nose_hoover_chain.IsotropicMTKBarostat, "__init__", wrong)
    found = _answer(tmp_path)
    assert found.state == "broken" and found.measured == pytest.approx(factor, rel=0.25)
