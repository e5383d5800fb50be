"""Where the code of a model's submodules is written: for annotations of a change, and for whoever looks for a mistake."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch


@dataclass(frozen=True)
class Written:
    """Where a class is written.

    Attributes:
        owner: its name. file: as Python knows it. line: of its ``forward``; of the class where it inherits that.
        module: dotted name of the Python module.
    """

    owner: str
    file: str
    line: int
    module: str

    @property
    def text(self) -> str:
        """``mace/modules/blocks.py:212 EquivariantProductBasisBlock``: the file below the place that its package was installed into."""
        package = sys.modules.get(self.module.partition(".")[0])
        top = getattr(package, "__file__", None)
        path = Path(self.file)
        root = Path(top).parent.parent if top and Path(top).name == "__init__.py" else path.parent
        shown = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
        return f"{shown.as_posix()}:{self.line} {self.owner}"


@cache
def written(kind: type[torch.nn.Module]) -> Written | None:
    """Where a class is written; None of torch's own, which a scripted or compiled module is of, and of one without a file."""
    if kind.__module__.partition(".")[0] == "torch":
        return None
    try:
        file = inspect.getsourcefile(kind)
        own = inspect.unwrap(vars(kind)["forward"]) if "forward" in vars(kind) else None
        code = getattr(own, "__code__", None)
        line = code.co_firstlineno if code is not None and code.co_filename == file else inspect.getsourcelines(kind)[1]
    except (TypeError, OSError, ValueError):
        return None
    return Written(kind.__name__, file, line, kind.__module__) if file is not None else None


def places(model: torch.nn.Module) -> dict[str, Written]:
    """Of every submodule, by its dotted path; the model itself has an empty one."""
    found = {name: written(type(module)) for name, module in model.named_modules()}  # type: ignore[arg-type]  # classes have a hash
    return {name: place for name, place in found.items() if place is not None}


def code_of(model: torch.nn.Module) -> dict[str, str]:
    """The same in words, as records have it."""
    return {name: place.text for name, place in places(model).items()}
