"""No module asks for a backend by its name, or looks whether it can do something: the protocol says it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import mpcheck
from mpcheck._errors import InputError
from mpcheck.adapters.backends import protocol
from tests.unit.toy_backend import BACKEND, register

PACKAGE = Path(mpcheck.__file__).parent
NAMES = ("e3nn", "cueq", "cueq-mul_ir", "cueq-unfused", "cueq-kernels")
ELSEWHERE = {
    "_names.py": "where the reference and the default backends are named",
    "_packages.py": "names of packages",
    "adapters/backends/cueq.py": "registers its own",
    "adapters/compiling.py": "the package itself, whose settings compilation needs",
    "adapters/backends/design.py": "which of cuEquivariance's layouts a small architecture is converted to",
}
LOOKING = {"getattr", "hasattr"}
LOOKED_AT = {"backend", "base", "donor", "twin", "entry"}


def spelled(tree: ast.AST) -> list[int]:
    """Lines on which a backend's name stands as a string."""
    return [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Constant) and n.value in NAMES]


def looked(tree: ast.AST) -> list[int]:
    """Lines that ask an object called a backend whether it has something."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in LOOKING and n.args]
    return [n.lineno for n in calls if isinstance(n.args[0], ast.Name) and n.args[0].id in LOOKED_AT]


def test_backends_are_named_in_one_place() -> None:
    trees = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
    own = {name: tree for name, tree in trees.items() if not name.startswith("_suite/")}
    found = {name: lines for name, tree in own.items() if (lines := spelled(tree))}
    assert set(found) - set(ELSEWHERE) == set(), f"ask the protocol, or say REFERENCE_BACKEND of mpcheck._names: {found}"
    assert set(found) == set(ELSEWHERE), "a module that no longer spells one leaves the list"
    asking = {name: lines for name, tree in own.items() if (lines := looked(tree))}
    assert asking == {}, "what a backend may say is in its protocol"


def test_the_detectors_see_them() -> None:
    assert spelled(ast.parse("if name == 'cueq': pass")) == [1] and spelled(ast.parse("'''cueq and e3nn'''")) == []
    assert looked(ast.parse("x = 1\ngetattr(backend, 'layout', 'mul_ir')")) == [2] and looked(ast.parse("hasattr(module, 'f')")) == []


@pytest.fixture(scope="module", autouse=True)
def installed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        register(patch, "toy", BACKEND)
        yield
    protocol.installed.cache_clear()


def test_what_is_no_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, "half", SimpleNamespace(name="half", build=None, unavailable=None))
    with pytest.raises(InputError, match=r"backend half .* does not implement .*; derive it from mpcheck.adapters.backends.base.BackendBase"):
        protocol.backends()
    monkeypatch.undo()
    protocol.installed.cache_clear()
