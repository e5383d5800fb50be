"""Runs as jobs: submitit's local executor does them in processes of their own, and what goes wrong there is a line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.sessions.md import cluster
from mpcheck.sessions.md.cluster import JobError, send, wait
from mpcheck.sessions.md.runs import RunKey, token
from mpcheck.sessions.md.work import MdWork
from tests.unit.sessions.md.conftest import options


@pytest.mark.slow
def test_jobs_write_runs_that_the_session_takes(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # of its workers the first alone sends jobs
    asked = options(place, "nve", seeds=1, runs=tmp_path, cluster="local", cluster_options=("timeout_min=5",))
    work = MdWork(asked)
    pieces = {p.planned.key: p for p in work.pieces()}
    (key,) = [name for name in pieces if name.startswith("md-run") and "float32" in name]
    (record,) = work.records(pieces[key])
    assert record.verdict == "pass", record.reason
    assert list((tmp_path / "jobs").iterdir()), "jobs leave their logs"
    assert not next(iter(work._jobs))[1].kind
    for job in work._jobs.values():
        job.cancel()


def test_an_unknown_option_or_scheduler_is_a_line(place: Path, tmp_path: Path) -> None:
    asked = options(place, "nve", seeds=1)
    with pytest.raises(InputError, match="--cluster-option is 'gpu'; give NAME=VALUE"):
        send(replace(asked, cluster="local", cluster_options=("gpu",)), [], {"s": tmp_path}, "")
    with pytest.raises(InputError, match=r"--cluster-option no_such_option=1: .*such as slurm_partition"):
        send(replace(asked, cluster="local", cluster_options=("no_such_option=1",)), [], {"s": tmp_path}, "")
    with pytest.raises(InputError, match="--cluster slurm cannot be used"):
        send(replace(asked, cluster="slurm"), [], {"s": tmp_path}, "")


def test_without_submitit_it_says_what_to_install(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(cluster.importlib, "import_module", none)
    with pytest.raises(InputError, match=r"pip install 'mpcheck\[cluster\]'"):
        send(replace(options(place, "nve"), cluster="local"), [], {"s": tmp_path}, "")


def test_a_job_that_dies_says_where_its_log_lies() -> None:
    class Dead:
        job_id = "7"

        class paths:  # as submitit has it
            stderr = "/somewhere/7.err"

        def result(self) -> None:
            raise RuntimeError("out of memory")

    with pytest.raises(JobError, match=r"job 7 did not end well: .*out of memory.* \(log: /somewhere/7.err\)"):
        wait(Dead())


def test_a_key_names_its_directory_and_a_session_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RunKey("own/nve.yaml", "float32", "e3nn", 3, "twin").name == "nve-float32-e3nn-3-twin"
    assert token() != token()
    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", "one")
    assert token() == token() == "one"
