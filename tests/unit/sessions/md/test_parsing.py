"""What is typed is read before torch is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mpcheck._errors import InputError
from mpcheck.sessions.md.parsing import cluster, protocols


def test_names_are_kept_once() -> None:
    assert protocols(["nve", "npt", "nve"]) == ("nve", "npt")
    with pytest.raises(InputError, match="unknown protocol 'nvt'"):
        protocols(["nvt"])


def test_where_runs_are_sent() -> None:
    assert cluster(["local", "slurm"]) == "slurm"
    with pytest.raises(InputError, match="--cluster is 'pbs'; choose from local, slurm"):
        cluster(["pbs"])


def test_no_torch_is_imported() -> None:
    code = "import sys, mpcheck.sessions.md.parsing as p; p.protocols(['nve']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
