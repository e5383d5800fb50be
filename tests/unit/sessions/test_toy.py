"""Adding a session is adding a folder: a toy one, put beside the others, is a command, a setting, a report and a history like them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.unit import forked

TOYS = Path(__file__).with_name("toys")
SITE = f"import mpcheck.sessions\nmpcheck.sessions.__path__.append({str(TOYS)!r})\n"
"""What a folder in the package would do: Python runs it before anything else of a process."""


def mpcheck(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[3]
    paths = os.pathsep.join([str(cwd / "site"), str(root)])
    environment = {**os.environ, "PYTHONPATH": paths, "COLUMNS": "200", **variables}
    return forked.run(["-m", "mpcheck", *words], cwd, environment)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Where the toy session ran twice: on all blocks, and wanting names that one block does not have."""
    where = tmp_path_factory.mktemp("toy")
    (where / "site").mkdir()
    (where / "site" / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    common = ("builtin:hco", "--system", "builtin:water", "--block", "products.*", "--cache", str(cache), "--backend", "e3nn")
    green = mpcheck("toy", *common, "--out", "base", cwd=where)
    red = mpcheck("toy", *common, "--letters", "11", "--out", "head", cwd=where)
    assert (green.returncode, red.returncode) == (0, 1), green.stdout + green.stderr + red.stdout + red.stderr
    (where / "red.txt").write_text(red.stdout, encoding="utf-8")
    return where


def test_it_is_a_command_with_its_options(place: Path) -> None:
    assert "Whether every block has a name that can be read." in mpcheck("--help", cwd=place).stdout
    told = mpcheck("toy", "--help", cwd=place).stdout
    assert "--letters" in told and "--model" not in told and "--backend" in told
    refused = mpcheck("toy", "--letters", "0", cwd=place)
    assert refused.returncode == 2 and "letters" in refused.stderr and "Traceback" not in refused.stderr


def test_its_table_says_what_is_red(place: Path) -> None:
    text = (place / "red.txt").read_text(encoding="utf-8")
    assert "naming" in text and "fail naming:builtin:water/products.0" in text.lower() and "FAIL: toy" in text
    assert "too short" in (place / "head" / "toy.md").read_text(encoding="utf-8")


def test_a_gate_has_it_and_its_setting(place: Path) -> None:
    show = "from mpcheck.gate.settings import FIELDS, GateSettings; from mpcheck.gate.differences import narrows\n"
    show += "from mpcheck.gate.sessions import arguments; from mpcheck.sessions.registry import get; from pathlib import Path\n"
    show += "base, head = (GateSettings.model_validate({'sessions': ['toy'], 'letters': n}) for n in (5, 4))\n"
    show += "print(FIELDS['letters'], [(o.what, o.effect) for o in narrows(base, head)], arguments(base, get('toy'), Path('out'), ''))\n"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(place / "site"), str(Path(__file__).parents[3])])}
    done = forked.run(["-c", show], place, environment)
    assert "3 [('letters', 'loosens')] ['toy', 'builtin:hco'," in done.stdout and "'--letters', '5'" in done.stdout, done.stderr
    assert "--letters" in mpcheck("gate", "--help", cwd=place).stdout


def test_reports_comparisons_and_histories_know_it(place: Path) -> None:
    done = mpcheck("report", "head", "--html", "page.html", "--markdown", "page.md", "--base", "base", cwd=place)
    assert done.returncode == 0, done.stderr
    page, text = ((place / name).read_text(encoding="utf-8") for name in ("page.html", "page.md"))
    assert "toy" in page and "too short" in page and "products.0" in text
    assert "mpcheck toy builtin:hco --system builtin:water --block products.0" in text.replace("\\", "")
    compared = mpcheck("compare", "base", "head", cwd=place)
    assert compared.returncode == 1 and "toy/naming:builtin:water/products.0" in compared.stdout
    recorded = mpcheck("history", "record", "head", "--dir", "history", cwd=place)
    assert recorded.returncode == 0, recorded.stderr
    assert "products.0" in mpcheck("history", "show", "--dir", "history", cwd=place).stdout + next((place / "history").rglob("*.jsonl")).read_text()


def test_records_of_it_are_refused_where_it_is_not(place: Path) -> None:
    (place / "site" / "sitecustomize.py").rename(place / "site" / "gone.txt")
    try:
        refused = mpcheck("report", "head/toy.json", "--markdown", "x.md", cwd=place)
    finally:
        (place / "site" / "gone.txt").rename(place / "site" / "sitecustomize.py")
    assert refused.returncode == 2 and "'toy'" in refused.stderr and "Traceback" not in refused.stderr
