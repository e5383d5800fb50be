"""A backend in a package of somebody else's: picked up by its entry point from the command line, judged, and refused in one line where broken."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mpcheck.records.read import read_results

SOUND = '''
"""Linear layers computed in two halves."""
import copy

import torch

from mpcheck.adapters.backends.base import BackendBase, BackendModelBase


class Halves(torch.nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return FACTOR * (self.inner(x * 0.25) + self.inner(x * 0.75))


class Model(BackendModelBase):
    packages = (__name__.partition(".")[0],)

    def parameters(self, block):
        return {n.replace("inner.", ""): p for n, p in super().parameters(block).items()}


class Backend(BackendBase):
    name = "halves"

    def build(self, model, device):
        twin = copy.deepcopy(model)
        for i, product in enumerate(twin.products):
            product.linear = Halves(product.linear)
        return Model(self.name, model.to(device), twin.to(device), device)


BACKEND = Backend()
'''
BROKEN = {
    "raises at import": ("raise OSError('libhalves.so: cannot open shared object file')", r"cannot be imported: .*libhalves.so"),
    "has no such name": ("ANOTHER = 1", "cannot be imported"),
    "is no backend": ("BACKEND = object()", "does not implement mpcheck.adapters.backends.protocol.Backend"),
}


def installed(folder: Path, source: str) -> Path:
    """The package as pip leaves it: a module, and a distribution with its entry point."""
    (folder / "halves_kernels").mkdir(parents=True)
    (folder / "halves_kernels" / "__init__.py").write_text(source)
    info = folder / "halves_kernels-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: halves-kernels\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mpcheck.backends]\nhalves = halves_kernels:BACKEND\n")
    return folder


def run(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH", "")])]
    environment = {n: v for n, v in os.environ.items() if not n.startswith("PYTEST_")} | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "mpcheck", "run", "builtin:hco", "--system", "builtin:water", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.parametrize(("factor", "status"), [(1.0, 0), (1.001, 1)])
def test_it_is_picked_up_and_judged(tmp_path: Path, factor: float, status: int) -> None:
    site = installed(tmp_path / "site", SOUND.replace("FACTOR", str(factor)))
    words = ("--backend", "halves", "--format", "float32", "--block", "products.*.linear")
    done = run(site, tmp_path / "here", *words)
    assert done.returncode == status, done.stdout + done.stderr
    found = [i for i in read_results([tmp_path / "here" / "reports"]).items if i.backend == "halves" and i.check == "precision"]
    own = [i for i in found if i.variant == "forward"]
    assert own and {i.verdict for i in own} == {"pass" if status == 0 else "fail"}
    assert {i.block for i in own} == {"products.0.linear", "products.1.linear"}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_one_is_one_line(tmp_path: Path, broken: str) -> None:
    source, says = BROKEN[broken]
    done = run(installed(tmp_path / "site", source), tmp_path / "here", "--backend", "halves")
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 2 and len(lines) == 1, done.stderr
    assert lines[0].startswith("mpcheck: error: backend halves (halves_kernels:BACKEND)")
    assert re.search(says, lines[0])
    assert not [*(tmp_path / "here" / "reports").glob("*")], "nothing is written"
