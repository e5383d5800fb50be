"""Records are of one session: a run of two is refused in one line, before anything is judged."""

from __future__ import annotations

from pathlib import Path

from tests.unit import forked

ROOT = Path(__file__).parents[3]


def test_two_suites_in_one_run_are_refused(tmp_path: Path) -> None:
    suites = [str(ROOT / "tests" / name) for name in ("blocks", "symmetry")]
    words = [*suites, "-q", "-p", "no:benchmark", "--mp-block", "products.0.linear", "--mp-format", "bfloat16", f"--mp-out={tmp_path}"]
    done = forked.run(["-m", "pytest", *words], ROOT)
    assert done.returncode == 2 and "not of precision and symmetry" in done.stdout and "Traceback" not in done.stdout
    assert list(tmp_path.iterdir()) == []
