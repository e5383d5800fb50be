"""Importing upstream and running under another default type leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import pytest
import torch

from mpcheck.adapters.upstream import default_dtype, environment_restored, quiet
from tests.unit.adapters.loading import SAFE


def test_safe_loading_stays_on_whatever_upstream_s_import_sets() -> None:
    code = f"import os, mpcheck.adapters.upstream, torch; assert '{SAFE}' not in os.environ; assert torch.get_default_dtype() == torch.float32"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env={k: v for k, v in os.environ.items() if k != SAFE})


def test_variables_and_types_are_put_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPCHECK_ONE", "1")
    monkeypatch.delenv("MPCHECK_TWO", raising=False)
    before = torch.get_default_dtype()

    def fails() -> None:
        with environment_restored("MPCHECK_ONE", "MPCHECK_TWO"), default_dtype(torch.float64):
            os.environ["MPCHECK_ONE"] = os.environ["MPCHECK_TWO"] = "changed"
            assert torch.get_default_dtype() == torch.float64
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert os.environ["MPCHECK_ONE"] == "1" and "MPCHECK_TWO" not in os.environ
    assert torch.get_default_dtype() == before


def test_quiet_is_quiet_only_inside() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with quiet():
            warnings.warn("inside", stacklevel=1)
        warnings.warn("outside", stacklevel=1)
    assert [str(w.message) for w in told] == ["outside"]
