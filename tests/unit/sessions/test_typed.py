"""What is typed is refused at once where it cannot be right: in a line, and before anything heavy is imported."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck._names import DEFAULT_BACKENDS
from mpcheck.adapters.backends.protocol import backends
from mpcheck.formats import FORMATS
from mpcheck.sessions.options import BACKEND, FORMAT
from mpcheck.sessions.typed import (
    BACKENDS_GROUP,
    backend_names,
    known_names,
    parse_backends,
    parse_cache_size,
    parse_device,
    parse_place,
    parse_rows,
    parse_size,
    refuse_missing,
)

WRONG = [
    (("run", "--format", "nope"), "unknown format 'nope'; choose from float64"),
    (("run", "--backend", "e3n"), "unknown backend 'e3n' (did you mean e3nn?); choose from e3nn, cueq"),
    (("run", "gone.model"), "model gone.model does not exist"),
    (("run", "--system", "gone.xyz"), "system file gone.xyz does not exist"),
    (("run", "--device", "tpu"), "unknown device 'tpu'"),
    (("run", "--rows", "most"), "unknown value 'most' of --rows; choose from sample, all"),
    (("symmetry", "--check", "layuot"), "unknown check 'layuot' (did you mean layout?) of the symmetry session"),
    (("policy", "--policy", "nope"), "unknown policy 'nope'; choose from float64"),
]
SCRIPT = """import sys
from mpcheck.cli.main import main
assert main(sys.argv[1:]) == 2
assert not {"torch", "pytest", "mace"} & set(sys.modules), "something heavy was imported"
"""


@pytest.mark.parametrize(("words", "said"), WRONG, ids=lambda x: " ".join(x) if isinstance(x, tuple) else "")
def test_a_wrong_option_is_refused_before_anything_heavy_is_imported(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(f"mpcheck: error: {said}") and done.stderr.count("\n") == 1 and done.stdout == ""


def test_backends_are_known_without_being_imported() -> None:
    assert set(backend_names()) == set(backends()) == {point.name for point in entry_points(group=BACKENDS_GROUP)}
    assert backend_names()[: len(DEFAULT_BACKENDS)] == DEFAULT_BACKENDS
    assert parse_backends(["cueq", "e3nn", "cueq"]) == ("cueq", "e3nn")


def test_help_has_the_names_that_there_are() -> None:
    assert BACKEND.help.endswith(f"; default: {' and '.join(DEFAULT_BACKENDS)}")
    assert all(name in BACKEND.help for name in backends()) and all(name in FORMAT.help for name in FORMATS)


def test_unknown_names_are_told_with_the_known_ones() -> None:
    assert known_names("thing", ["b", "a", "b"], "abc") == ("b", "a")
    with pytest.raises(InputError, match=r"^unknown thing 'x' of it; choose from a, b$"):
        known_names("thing", ["x"], "ab", " of it")


@pytest.mark.parametrize(
    ("parse", "right", "wrong"), [(parse_place, "host", "moon"), (parse_rows, "all", "some"), (parse_device, "cuda:1", "cuda:x")]
)
def test_one_of_a_few_words(parse: Any, right: str, wrong: str) -> None:
    assert parse([wrong, right]) == right
    with pytest.raises(InputError, match=re.escape(repr(wrong))):
        parse([wrong])


@pytest.mark.parametrize(("parse", "option"), [(parse_size, "--memory-limit"), (parse_cache_size, "--cache-limit")])
def test_a_size_names_its_option(parse: Any, option: str) -> None:
    assert parse(["2 GB"]) == "2 GB"
    with pytest.raises(InputError, match=f"^{option} is 'much'; give a size"):
        parse(["much"])


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    here = tmp_path / "limits.yaml"
    here.write_text("")
    refuse_missing({})
    refuse_missing({"model": "builtin:hco", "systems": ("builtin:water",), "tolerances": here})
    with pytest.raises(InputError, match=r"tolerance file .*other\.yaml does not exist"):
        refuse_missing({"tolerances": tmp_path / "other.yaml"})
