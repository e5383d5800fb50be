"""OpenEquivariance's stand-in has the interface of the real one: as it was in 0.7.0, and in whatever source is given.

MPCHECK_OEQ_SOURCE=openequivariance-0.7.0 pytest tests/unit/test_standins.py
"""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from tests.fakes.oeq import NAME, STANDINS

SOURCE = "MPCHECK_OEQ_SOURCE"
PLACES = {
    "TPProblem": ("core/e3nn_lite.py", "problem.py"),
    "TensorProduct": ("_torch/TensorProduct.py", "products.py"),
    "TensorProductConv": ("_torch/TensorProductConv.py", "products.py"),
    "torch_to_oeq_dtype": ("core/utils.py", "problem.py"),
    "transpose_irreps": ("_torch/utils.py", "kernels.py"),
}
"""File of the real package, and of the stand-in."""
MODULES = ("TensorProduct", "TensorProductConv")
ORDER = ("weights", "has_batch_dim=True")
WANTED = {
    "TPProblem.__init__": (
        "irreps_in1", "irreps_in2", "irreps_out", "instructions", "in1_var=None", "in2_var=None", "out_var=None", "irrep_normalization='component'",
        "path_normalization='element'", "internal_weights=False", "shared_weights=None", "label=None", "irrep_dtype=np.float32",
        "weight_dtype=np.float32", "layout='mul_ir'",
    ),
    "TPProblem.clone": (),
    "TensorProduct.__init__": ("problem", "torch_op=True", "use_opaque=False"),
    "TensorProduct.forward": ("x", "y", "W"),
    "TensorProductConv.__init__": ("problem", "*", "deterministic=False", "kahan=False", "torch_op=True", "use_opaque=False"),
    "TensorProductConv.forward": ("X", "Y", "W", "rows", "cols", "sender_perm=None"),
    **{f"{owner}.reorder_weights_{way}_e3nn": ORDER for owner in MODULES for way in ("from", "to")},
    **{f"{owner}._apply": ("fn", "recurse=True") for owner in MODULES},
    "torch_to_oeq_dtype": ("torch_dtype",),
    "transpose_irreps": ("array", "irreps", "src_layout", "dst_layout"),
}  # fmt: skip


def signature(function: ast.FunctionDef) -> tuple[str, ...]:
    """Parameters with their defaults, without ``self`` and types."""
    known = function.args
    plain = [a.arg for a in known.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(known.defaults)) + list(known.defaults)
    told = [n if d is None else f"{n}={ast.unparse(d)}" for n, d in zip(plain, defaults, strict=True)]
    if known.kwonlyargs:
        told += ["*", *(a.arg if d is None else f"{a.arg}={ast.unparse(d)}" for a, d in zip(known.kwonlyargs, known.kw_defaults, strict=True))]
    return tuple(told[1:] if plain[:1] == ["self"] else told)


def signatures(root: Path, which: int) -> dict[str, tuple[str, ...]]:
    """Of everything in the table; a method may be its class' or that of a base in the same file."""
    found: dict[str, tuple[str, ...]] = {}
    for name, files in PLACES.items():
        tree = ast.parse((root / files[which]).read_text(encoding="utf-8"))
        classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
        found.update((n.name, signature(n)) for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
        chain = [name] if name in classes else []
        for owner in chain:
            chain += [b.id for b in classes[owner].bases if isinstance(b, ast.Name) and b.id in classes]
        for owner in reversed(chain):
            found |= {f"{name}.{n.name}": signature(n) for n in classes[owner].body if isinstance(n, ast.FunctionDef)}
    return {key: found[key] for key in WANTED if key in found}


def test_the_stand_in_has_the_interface_of_the_release_that_it_says() -> None:
    assert signatures(STANDINS / NAME, 1) == WANTED


def test_the_real_source_has_it() -> None:
    if not (given := os.environ.get(SOURCE)):
        pytest.skip(f"{SOURCE} names no unpacked source of {NAME}")
    root = next(Path(given).rglob(f"{NAME}/core/e3nn_lite.py")).parents[1]
    assert signatures(root, 0) == WANTED


def test_it_is_in_no_wheel() -> None:
    """Only what lies in the package is: a stand-in that users could import would be taken for the library."""
    assert not list((Path(__file__).parents[2] / "mpcheck").rglob(f"*{NAME}*"))
