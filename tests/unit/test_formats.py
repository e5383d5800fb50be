"""Formats are named in one module."""

import ast
import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mpcheck
from mpcheck.formats import FLOAT64, FORMATS, SMALLEST_NORMAL

PACKAGE = Path(mpcheck.__file__).parent
ELSEWHERE = {
    "_torch_precision.py": "torch's own word for its float32 precisions",
    "_torch_state.py": "the name of a field of State, below the layer of formats",
    "adapters/load.py": "what upstream's loader of published models takes",
}
"""Modules that may hold such a word, and what it is there."""


def named(tree: ast.AST) -> list[int]:
    """Lines of string constants that are the name of a format; docstrings and prose are longer."""
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in FORMATS]


def test_no_module_spells_a_format():
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        lines = named(ast.parse(path.read_text()))
        if lines and name != "formats.py" and not name.startswith("_suite/"):
            found[name] = lines
    assert set(found) - set(ELSEWHERE) == set(), f"say FLOAT64, FLOAT32, … of mpcheck.formats instead: {found}"
    assert set(found) == set(ELSEWHERE), "a module that no longer spells one leaves the list"
    assert all(len(found[name]) == 1 for name in ELSEWHERE), found


def test_the_detector_sees_a_literal():
    assert named(ast.parse("x = 1\nif name == 'bfloat16': pass")) == [2]
    assert named(ast.parse("'''float64 is wide'''")) == []


def test_formats_need_no_torch_to_be_named():
    code = "import sys\nfrom mpcheck.formats import FORMATS, get_format\nassert get_format('bf16').u == 2.0**-8\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
def test_types_are_torchs(fmt):
    assert str(fmt.storage) == f"torch.{fmt.storage_type}" and str(fmt.math) == f"torch.{fmt.math_type}"
    assert fmt.smallest_normal == SMALLEST_NORMAL[fmt.storage_type] == torch.finfo(fmt.storage).smallest_normal
    assert fmt.largest == torch.finfo(fmt.storage).max
    assert [fmt.emulated(device) for device in ("cpu", "cuda")] == [fmt.name == "tf32", False]


def test_a_changed_copy_has_the_new_types():
    assert FLOAT64.storage == torch.float64  # the original has been asked for its type already
    assert dataclasses.replace(FLOAT64, storage_type="float32").storage == torch.float32


@pytest.mark.parametrize("name", ["float32", "bfloat16", "tf32"])
def test_formats_underflow_at_half_their_smallest_number(name: str) -> None:
    fmt = FORMATS[name]
    info = torch.finfo(fmt.storage)
    assert fmt.roundoff["underflow"] == info.smallest_normal * info.eps / 2
    assert float(torch.tensor(fmt.roundoff["underflow"], dtype=torch.float64).to(fmt.storage)) == 0.0


@settings(max_examples=25)
@given(st.sampled_from(sorted(FORMATS)), st.floats(1e-3, 1e3))
def test_roundoff_of_the_table_bounds_the_cast(name: str, value: float) -> None:
    fmt = FORMATS[name]
    x = torch.tensor(value, dtype=torch.float64)
    assert abs(float(x.to(fmt.storage).double() - x)) <= fmt.roundoff["stored"] * value
