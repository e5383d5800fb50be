"""How much memory there is, wherever a limit comes from, and sizes as people write them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck._memory import free_bytes, size_of, told


def test_free_memory_is_read_where_the_platform_tells(tmp_path: Path) -> None:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:  10 kB\nMemAvailable:   4 kB\n", encoding="ascii")
    assert free_bytes(path, tmp_path) == 4096.0 and free_bytes(tmp_path / "none", tmp_path) == float("inf")


@pytest.mark.parametrize(("most", "expected"), [("1000000", 999_000.0), ("900", 0.0), ("max", float("inf")), ("", float("inf"))])
def test_a_control_group_s_limit_counts(most: str, expected: float, tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(most)
    (tmp_path / "memory.current").write_text("1000\n")
    assert free_bytes(tmp_path / "none", tmp_path) == expected


@pytest.mark.parametrize(
    ("line", "group", "files"),
    [
        ("0::/user.slice/job_7", "user.slice/job_7", ("memory.max", "memory.current")),
        ("0::/user.slice/job_7", "user.slice", ("memory.max", "memory.current")),
        ("0::/user.slice/job_7", "user.slice", ("memory.high", "memory.current")),
        ("0::/job_7", "unified/job_7", ("memory.max", "memory.current")),
        ("4:memory:/slurm/job_7", "memory/slurm/job_7", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
        ("9:cpu,memory:/slurm/job_7", "memory/slurm", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
        ("4:memory:/outside/of/the/container", "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
    ],
)
def test_the_group_of_a_process_and_those_around_it_count(line: str, group: str, files: tuple[str, str], tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text(f"3:cpuset:/elsewhere\n{line}\nnonsense\n")
    place = tmp_path / "fs" / group
    place.mkdir(parents=True)
    assert free_bytes(tmp_path / "none", tmp_path / "fs", own) == float("inf")
    for name, text in zip(files, ("1000000", "400000\n"), strict=True):
        (place / name).write_text(text)
    assert free_bytes(tmp_path / "none", tmp_path / "fs", own) == 600_000.0
    (place / "memory.stat").write_text("anon 5\ninactive_file 100000\ntotal_inactive_file 100000\n")
    assert free_bytes(tmp_path / "none", tmp_path / "fs", own) == 700_000.0, "pages of files that were read are given back"


def test_a_group_of_another_controller_is_none(tmp_path: Path) -> None:
    own, place = tmp_path / "cgroup", tmp_path / "fs" / "cpu" / "job"
    own.write_text("2:cpu:/job\n")
    place.mkdir(parents=True)
    (place / "memory.max").write_text("1000")
    (place / "memory.current").write_text("0")
    assert free_bytes(tmp_path / "none", tmp_path / "fs", own) == float("inf")


@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_a_process_s_own_limit_counts(limit: str) -> None:
    code = (
        f"import resource; resource.setrlimit(resource.{limit}, (10**9, 10**9)); from mpcheck._memory import free_bytes; "
        "from pathlib import Path; print(free_bytes(Path('none'), Path('none'), Path('none')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0.5e9 < float(done.stdout) < 1e9


def test_sizes_as_they_are_told() -> None:
    assert [told(s) for s in (2.14e9, 0.5e9, 3.1e10, 1.1e11)] == ["2.1 GB", "500 MB", "31 GB", "110 GB"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("0B", 0), ("2GB", 2 * 10**9), ("500MB", 5 * 10**8), ("1.5 GiB", 3 << 29), ("7kB", 7000), ("7KiB", 7168), ("1tb", 10**12), (" 10mb ", 10**7)],
)
def test_sizes(text: str, size: int) -> None:
    assert size_of(text, "--to-size") == size


@pytest.mark.parametrize("text", ["", "GB", "2", "2G", "2 XB", "1e9B", "-1MB", "1,5GB", "nanMB", "٣MB", "2GBs", "9" * 40 + "GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InputError, match="give a size with its unit"):
        size_of(text, "--to-size")
