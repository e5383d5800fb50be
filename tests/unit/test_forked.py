"""A fork is to what is tested what a process of its own would be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.unit import forked

ROOT = Path(__file__).parents[2]
TELL = """
import json, os, sys
before = [name for name in sys.modules if name.split(".")[0] == "mpcheck"]
import mpcheck
print(json.dumps([sys.argv, os.getcwd(), os.environ.get("OWN"), "HOME" in os.environ, before, mpcheck.__file__, __name__]))
"""


def test_it_has_its_own_arguments_directory_environment_and_package(tmp_path: Path) -> None:
    done = forked.run(["-c", TELL, "a", "--b"], tmp_path, {"OWN": "1", "PYTHONPATH": str(ROOT)})
    assert (done.returncode, done.stderr) == (0, "")
    argv, where, own, home, before, package, name = json.loads(done.stdout)
    assert (argv, where, own, home, name) == (["-c", "a", "--b"], str(tmp_path), "1", False, "__main__")
    assert before == [] and package == str(ROOT / "mpcheck" / "__init__.py")


def test_forks_know_nothing_of_each_other(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import sys\nsys.planted = True\n")
    ask = ["-c", "import sys, os; print(hasattr(sys, 'planted')); sys.other = 1; os.environ['OTHER'] = '1'"]
    plain = {"PYTHONPATH": str(ROOT)}
    with_site = forked.run(ask, tmp_path, {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)])})
    without = forked.run(["-c", "import sys, os; print(hasattr(sys, 'planted'), hasattr(sys, 'other'), 'OTHER' in os.environ)"], tmp_path, plain)
    assert (with_site.stdout, without.stdout) == ("True\n", "False False False\n")


def test_forks_draw_other_numbers(tmp_path: Path) -> None:
    """As processes do, which begin with other seeds each time."""
    code = "import random, numpy, torch; print(torch.initial_seed(), random.random(), numpy.random.random())"
    one, other = (forked.run(["-c", code], tmp_path).stdout.split() for _ in range(2))
    assert len(one) == 3 and all(a != b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("code", "status"),
    [("raise SystemExit(3)", 3), ("raise ValueError('x')", 1), ("import os; os._exit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9)],
)
def test_how_it_ends_is_told(code: str, status: int, tmp_path: Path) -> None:
    done = forked.run(["-c", f"import sys; print('out'); print('err', file=sys.stderr); sys.stdout.flush(); {code}"], tmp_path)
    assert (done.returncode, done.stdout) == (status, "out\n")
    assert done.stderr.startswith("err\n") and ("ValueError: x" in done.stderr) == (status == 1)


def test_a_module_is_run_as_main_and_its_errors_join_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text("import sys\nprint(__name__, sys.argv[1:], flush=True)\nprint('err', file=sys.stderr)\n")
    done = forked.run(["-m", "told", "x"], tmp_path, merged=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "__main__ ['x']\nerr\n", "")
