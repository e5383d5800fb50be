"""Libraries say nothing and leave nothing changed."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings

import numpy as np
import pytest

from mpcheck.dynamics.statistics.ensemble import kinetic_distribution
from mpcheck.dynamics.statistics.quiet import library, quiet

SILENT = """
import logging, sys, warnings
from mpcheck.dynamics.statistics.quiet import physical_validation, timeseries
timeseries().statistical_inefficiency
physical_validation().kinetic_energy
assert "pymbar" in sys.modules
"""


def test_nothing_gets_out_and_everything_is_put_back(capfd: pytest.CaptureFixture[str]) -> None:
    errors, level, filters = np.geterr(), logging.root.manager.disable, list(warnings.filters)
    np.random.seed(7)
    expected = np.random.get_state()[1]
    with quiet(seed=1):
        np.seterr(all="raise")
        np.random.rand(3)
        logging.getLogger("pymbar").warning("never mind")
        warnings.warn("never mind", stacklevel=1)
        sys.stdout.write("never mind")
        sys.stderr.write("never mind")
    assert np.geterr() == errors and logging.root.manager.disable == level and warnings.filters == filters
    np.testing.assert_array_equal(np.random.get_state()[1], expected)
    assert capfd.readouterr() == ("", "")


def test_so_it_is_when_something_goes_wrong() -> None:
    errors = np.geterr()

    def work() -> None:
        with quiet():
            np.seterr(all="raise")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert np.geterr() == errors and not logging.root.manager.disable


def test_imports_are_silent() -> None:
    done = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_test_of_kinetic_energies_draws_no_global_number() -> None:
    np.random.seed(3)
    before = np.random.get_state()[1].copy()  # type: ignore[union-attr]
    kinetic = np.random.default_rng(0).gamma(30, 0.02585, 400)
    first, again = (kinetic_distribution(kinetic, 300.0, 60.0) for _ in range(2))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert first == again, "its own seed makes it the same every time"


def test_what_is_not_there_is_still_an_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        library("pymbar.nothing")
