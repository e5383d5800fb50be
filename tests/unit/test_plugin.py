"""The pytest plugin in a pytest of its own: options, ids, process-wide state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mpcheck.records.document import read_records

ROOT = Path(__file__).parents[2]


def run_pytest(where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=where, capture_output=True, text=True, check=False)


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


def test_ids_name_block_backend_format_and_direction(tmp_path: Path, cache: Path) -> None:
    options = ["--mp-system=builtin:isolated", "--mp-backend=e3nn", "--mp-format=bf16", f"--mp-cache={cache}", "--mp-block=atomic*,products.0.linear"]
    done = run_pytest(tmp_path, str(ROOT / "tests" / "blocks"), "-v", "-p", "no:randomly", f"--mp-out={tmp_path}", *options)
    assert done.returncode == 0, done.stdout
    assert "test_cell[products.0.linear-e3nn-bfloat16-backward] PASSED" in done.stdout
    assert "mpcheck device: cpu" in done.stdout
    run = read_records(tmp_path / "precision.json")
    assert {c.block for c in run.records} == {"atomic_energies_fn", "products.0.linear"}
    assert all(c.verdict in ("pass", "unsupported") for c in run.records)


def test_without_a_cuda_device_cells_say_so_and_nothing_passes(tmp_path: Path, cache: Path) -> None:
    import torch

    if torch.cuda.is_available():
        return
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
    assert "unsupported(no CUDA device)" in done.stdout
