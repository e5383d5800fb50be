"""Forces are the gradient of the energy and coordinates are resolved; a hundredth of curl and 10,000 Å are seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpcheck.dynamics.laws import gradient
from tests.unit.dynamics.toy import Argon, liquid


@pytest.mark.parametrize(("curl", "state"), [(0.0, "holds"), (0.01, "broken")])
def test_forces_that_are_no_gradient_are_seen(curl: float, state: str) -> None:
    places = [liquid(seed) for seed in range(3)]
    for atoms in places:
        atoms.pbc = False  # a field that turns has no period
    exact, judged = Argon(), Argon(curl=curl)
    rounding = gradient.noise(places, judged, exact, 0)
    assert gradient.gradient(places, judged, rounding, 0).state == state


def test_energies_of_few_digits_cannot_tell() -> None:
    class Coarse(Argon):
        def calculate(self, *args: Any, **kwargs: Any) -> None:
            super().calculate(*args, **kwargs)
            self.results["energy"] = np.round(self.results["energy"] - 7.0)

    places = [liquid(seed) for seed in range(3)]
    rounding = gradient.noise(places, Coarse(), Argon(), 0)
    assert rounding.energy >= 1.0
    assert gradient.gradient(places, Coarse(), rounding, 0).state == "cannot tell"


def test_the_step_of_a_type() -> None:
    assert gradient.grain([1507.0, 1508.0]) == 1.0
    assert gradient.grain([float(np.float32(0.1))]) == 2.0**-27
    assert gradient.grain([0.0, float("nan")]) == 0.0


@pytest.mark.parametrize(("far", "state"), [(0.0, "holds"), (1e4, "broken")])
def test_coordinates_far_from_the_origin_are_seen(far: float, state: str) -> None:
    places = [liquid(seed) for seed in range(3)]
    judged = Argon(narrow=np.float32)
    rounding = gradient.noise(places, judged, Argon(), 0)
    places[-1].positions += far
    found = gradient.resolved(places[-1], judged, rounding)
    assert found.state == state, found
