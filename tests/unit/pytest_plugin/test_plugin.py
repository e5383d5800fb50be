"""The pytest plugin in a pytest of its own: options, ids, process-wide state."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from mpcheck.cli.main import main
from mpcheck.records.document import Records, read_records
from tests.unit import forked

ROOT = Path(__file__).parents[3]


def run_pytest(where: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return forked.run(["-m", "pytest", *arguments], where, {**os.environ, **variables})


def test_changing_process_wide_state_fails_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_leak.py").write_text(
        "import torch\n"
        "def test_leak():\n    torch.set_default_dtype(torch.float64)\n"
        "def test_tf32():\n    torch.backends.cuda.matmul.allow_tf32 = not torch.backends.cuda.matmul.allow_tf32\n"
        "def test_after():\n    assert torch.get_default_dtype() == torch.float32\n    assert not torch.backends.cuda.matmul.allow_tf32\n"
    )
    done = run_pytest(tmp_path, "-p", "no:randomly", "-q")
    assert "2 failed, 1 passed" in done.stdout
    assert "default_dtype: float32 -> float64" in done.stdout


AMBIENCE = """\
import torch
torch.set_float32_matmul_precision('medium')
torch.backends.cudnn.allow_tf32 = False
torch.set_default_device('meta')
torch.set_default_dtype(torch.bfloat16)
torch.set_grad_enabled(False)
if hasattr(torch._C, '_get_fp32_precision_getter'):
    torch.backends.cuda.matmul.fp32_precision = 'ieee'
"""


class Ran(NamedTuple):
    done: subprocess.CompletedProcess[str]
    records: Records


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Ran:
    """A small run of the suite in a process with every flag changed."""
    where = tmp_path_factory.mktemp("ran")
    (where / "ambience.py").write_text(AMBIENCE)
    options = ["--mp-system=builtin:isolated", "--mp-backend=e3nn", "--mp-format=bf16,float32", "--mp-block=atomic*,products.0.linear"]
    words = ["-p", "ambience", "-v", "-p", "no:randomly", str(ROOT / "tests" / "blocks"), *options, f"--mp-cache={cache}", f"--mp-out={where}"]
    done = run_pytest(where, *words, PYTHONPATH=os.pathsep.join([str(where), str(ROOT)]))
    assert done.returncode == 0, done.stdout + done.stderr
    return Ran(done, read_records(where / "precision.json"))


def test_ids_name_block_backend_format_and_direction(ran: Ran) -> None:
    assert "test_cell[products.0.linear-e3nn-bfloat16-backward] PASSED" in ran.done.stdout
    assert "mpcheck device: cpu" in ran.done.stdout
    assert {c.subject for c in ran.records.records} == {"atomic_energies_fn", "products.0.linear"}
    assert all(c.verdict in ("pass", "unsupported") for c in ran.records.records)


def test_a_session_in_a_process_with_every_flag_changed(ran: Ran) -> None:
    cells = [c for c in ran.records.records if c.subject == "products.0.linear" and c.format == "float32"]
    assert [c.verdict for c in cells] == ["pass", "pass"]
    flags = ran.records.environment.flags
    assert flags["default_device"] == "meta" and flags["float32_matmul_precision"] == "medium" and flags["grad"] is False


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is said without a CUDA device")
def test_without_a_cuda_device_cells_say_so_and_nothing_passes(tmp_path: Path, cache: Path) -> None:
    options = [
        "--mp-system=builtin:isolated",
        "--mp-backend=e3nn",
        "--mp-format=fp16",
        f"--mp-cache={cache}",
        "--mp-block=atomic*",
        "--mp-device=cuda",
    ]
    done = run_pytest(tmp_path, str(ROOT / "tests" / "blocks"), "-q", *options)
    assert done.returncode == 2
    assert "unsupported(no CUDA device)" in done.stdout and "passed" not in done.stdout


SUITE = """
import pytest
pytestmark = pytest.mark.mpcheck

@pytest.mark.parametrize("n", [pytest.param(n, marks=pytest.mark.xdist_group(f"g{n // 2}")) for n in range(6)])
def test_work(n): pass

def test_ungrouped(): pass
"""
FOREIGN = "def test_foreign(): pass\n"


class Seen:
    """What pytest collects."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.names = [item.name for item in session.items]


def collected(where: Path, shard: str) -> tuple[int, list[str]]:
    seen = Seen()
    without = [f"-pno:{name}" for name in ("randomly", "benchmark", "cacheprovider", "terminal")]
    code = pytest.main([str(where), "--collect-only", "-c", "/dev/null", f"--rootdir={where}", *without, f"--mp-shard={shard}"], plugins=[seen])
    for name in ("test_suite", "test_foreign"):
        sys.modules.pop(name, None)
    return int(code), seen.names


def test_every_test_is_in_one_shard_and_foreign_ones_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "test_foreign.py").write_text(FOREIGN)
    found = [collected(tmp_path, f"{k}/3")[1] for k in (1, 2, 3)]
    assert all("test_foreign" in tests for tests in found)
    own = Counter(t for tests in found for t in tests if t != "test_foreign")
    assert own == Counter([*(f"test_work[{n}]" for n in range(6)), "test_ungrouped"])
    assert all(("test_work[0]" in tests) == ("test_work[1]" in tests) for tests in found)
    assert collected(tmp_path, "1/4")[0] == 2
    assert len(collected(tmp_path, "")[1]) == 8


@pytest.mark.parametrize("shard", ["3/2", "x", "1/900"])
def test_a_bad_shard_is_one_line(shard: str, tmp_path: Path, cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = ["--system", "builtin:isolated", "--block", "readouts.*", "--backend", "e3nn", "--format", "bf16", "--cache", str(cache)]
    assert main(["run", "builtin:hco", *options, "--out", str(tmp_path), "--shard", shard]) == 2
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line]
    assert line.startswith("mpcheck: error: --shard")
    assert not (tmp_path / "precision.json").exists()


def test_a_test_of_the_suite_that_leaves_another_state_fails(tmp_path: Path) -> None:
    """Also one that only restores what surrounded it; and the next test finds what was."""
    (tmp_path / "test_own.py").write_text(
        "import pytest, torch\n"
        "pytestmark = pytest.mark.mpcheck\n"
        "torch.set_default_dtype(torch.float64)\n"
        "def test_leaves():\n    assert torch.get_default_dtype() == torch.float32\n    torch.set_default_dtype(torch.float64)\n"
        "def test_flag():\n    torch.set_float32_matmul_precision('high')\n"
        "def test_after():\n    assert torch.get_default_dtype() == torch.float32\n"
    )
    done = run_pytest(tmp_path, "-p", "no:randomly", "-q")
    assert "2 failed, 1 passed" in done.stdout, done.stdout
    assert "default_dtype: float32 -> float64" in done.stdout and "float32_matmul_precision: highest -> high" in done.stdout
