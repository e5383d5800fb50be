"""Drift with its error: right on average, not turned by bursts, and honest where residuals are correlated."""

from __future__ import annotations

import numpy as np
import pytest

from mpcheck.dynamics.observables.drift import drift
from tests.unit.dynamics.samples import autoregressive

TIME = np.arange(4000) * 0.005
KINETIC = np.random.default_rng(0).normal(1.0, 0.05, 4000)


def energy(seed: int, slope: float = 0.0, tau: float = 40.0) -> np.ndarray:
    """eV of 100 atoms that drift by so many meV/atom/ps, with correlated noise of 0.5 meV/atom."""
    return -500.0 + 0.1 * slope * TIME + autoregressive(np.random.default_rng(seed), 4000, tau, spread=0.05)


@pytest.mark.parametrize("tau", [10.0, 120.0])
def test_a_drift_is_found_with_its_error(tau: float) -> None:
    """Residuals of neighbouring blocks of 80 samples are correlated in the second case."""
    found = [drift(TIME, energy(seed, slope=0.2, tau=tau), KINETIC, 100) for seed in range(60)]
    sigmas = np.array([(one.slope - 0.2) / one.error for one in found])
    assert np.mean(np.abs(sigmas) > 2.0) < 0.2 and 0.7 < sigmas.std() < 1.5
    assert found[0].length_ps == pytest.approx(19.995) and found[0].spread == pytest.approx(0.5, rel=0.2)
    assert found[0].relative == pytest.approx(abs(found[0].slope) * 0.1 * 19.995 / KINETIC.std(ddof=1))


@pytest.mark.parametrize(("tau", "most"), [(10.0, 10), (120.0, 13), (400.0, 18)])
def test_none_is_none(tau: float, most: int) -> None:
    """The last remembers 2 ps of 20, some six independent blocks: one in ten is called at one in twenty (19 of 250 and 13 of 100 measured)."""
    found = [drift(TIME, energy(seed, tau=tau), KINETIC, 100) for seed in range(100)]
    assert sum(one.p < 0.01 for one in found) <= 4 and sum(one.p < 0.05 for one in found) <= most


def test_a_burst_does_not_make_one() -> None:
    burst = energy(1)
    burst[3900:3990] += 20.0
    assert abs(drift(TIME, burst, KINETIC, 100).slope) < 0.1
    assert abs(np.polyfit(TIME, burst * 10, 1)[0]) > 0.3, "by which least squares would be turned"


def test_an_exact_line_and_few_samples() -> None:
    exact = drift(TIME[:16], 2.0 * TIME[:16], KINETIC[:16], 1)
    assert exact.slope == pytest.approx(2000.0) and exact.sigmas > 1e6
    assert drift(TIME[:16], np.zeros(16), KINETIC[:16], 1).sigmas == 0.0
    with pytest.raises(ValueError, match="not finite"):
        drift(TIME, np.where(TIME > 10, np.nan, TIME), KINETIC, 100)
    with pytest.raises(ValueError, match="8 samples"):
        drift(TIME[:7], TIME[:7], KINETIC[:7], 1)
