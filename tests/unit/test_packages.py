"""One list of packages: whatever records, references, gates and baselines take of it is a part of it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import mpcheck._packages as packages
from mpcheck._errors import KERNELS
from mpcheck._packages import PACKAGES, installed, modules, versions
from mpcheck.adapters.backends.engagement import ACCELERATED
from mpcheck.reference.code import UPSTREAM

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]


def test_every_package_that_pyproject_installs_for_kernels_is_told() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [re.split("[<>=]", text)[0] for text in (*project["optional-dependencies"]["gpu"], *project["dependencies"])]
    known = {name for package in PACKAGES for name in package.distributions}
    assert {"torch", "mace-torch", "cuequivariance-torch", "cuequivariance-ops-torch-cu12"} <= set(wanted) & known


def test_versions_are_those_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "version", {"mpcheck": "1", "torch": "2.9", "cuequivariance-ops-torch-cu12": "0.7", "opt-einsum": "3"}.__getitem__)
    monkeypatch.setattr(packages, "PackageNotFoundError", KeyError)
    assert versions() == {"mpcheck": "1", "torch": "2.9", "cuequivariance-ops-torch-cu12": "0.7"}
    assert installed("cuequivariance_ops_torch") == "0.7" and installed("openequivariance") == installed("nobody") == ""


def test_parts_of_the_list() -> None:
    assert modules("model") == ("mace", "e3nn")
    ours = {"cuequivariance", "cuequivariance_torch", "cuequivariance_ops", "cuequivariance_ops_torch"}
    assert set(KERNELS) == ours | {"openequivariance", "sphericart", "triton"}
    assert set(ACCELERATED) < set(KERNELS) and {"mace", "e3nn", "openequivariance"} < set(UPSTREAM) and "torch" not in UPSTREAM


def test_nothing_else_lists_packages() -> None:
    """Two names of kernel packages in one line of code are a list of packages."""
    known = re.compile(r'"(cuequivariance(?:[-_]\w+)*|openequivariance|mace-torch)"')
    for path in (ROOT / "mpcheck").rglob("*.py"):
        if path.name != "_packages.py":
            lines = [line for line in path.read_text(encoding="utf-8").splitlines() if len(set(known.findall(line))) > 1]
            assert not lines, f"{path.relative_to(ROOT)}: {lines[0].strip()}"
