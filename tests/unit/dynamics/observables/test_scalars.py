"""Scalars of frames are those of the observables; sampled ones come first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mpcheck.dynamics.observables.scalars import scalars
from tests.unit.dynamics.samples import gas, series


def test_frames_give_what_was_not_sampled() -> None:
    one = gas(frames=200, cell=12.0)
    found = scalars(one, 3 * one.atoms)
    assert found.temperature.mean() == pytest.approx(300.0, rel=0.03) and found.volume == pytest.approx(1728.0)
    assert np.isnan(found.angular_momentum).all() and np.isnan(found.pressure).all()
    assert found.momentum[0] == pytest.approx(np.linalg.norm(one.momenta[0].sum(axis=0)))
    assert found.total_energy == pytest.approx(found.kinetic_energy)


def test_a_molecule_turns_and_has_no_volume() -> None:
    one = replace(gas(), pbc=np.zeros(3), cell=np.zeros((20, 3, 3)))
    found = scalars(one, 114)
    assert np.isfinite(found.angular_momentum).all() and np.isnan(found.volume).all()


def test_what_was_sampled_is_taken() -> None:
    own = series()
    assert scalars(replace(gas(), series=own), 1.0) is own
