"""A pickle that the user named, on the CPU whatever device it was saved on; what cannot be unpickled in one line."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import logging
import os
import pickle
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck._packages import modules
from mpcheck._text import one_line, shortened
from mpcheck.adapters.upstream import environment_restored, mace, quiet

ARCHIVES = {"archive_format": "a torch.export package (.pt2)", "serialized_exported_program.json": "a torch.export package (.pt2)"}
"""Names in zip archives of torch that hold no pickle."""


class _MissingClassError(Exception):
    """A class that a pickle names and nobody here has."""

    def __init__(self, module: str, name: str) -> None:
        super().__init__(f"{module}.{name}")
        self.module, self.name = module, name


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError) as error:
            raise _MissingClassError(module, name) from error


_PICKLE = types.ModuleType("pickle")
_PICKLE.__dict__.update(vars(pickle), Unpickler=_Unpickler, load=lambda file, **options: _Unpickler(file, **options).load())


@contextlib.contextmanager
def upstream_loading() -> Iterator[None]:
    """Upstream's loaders print, log, set the default dtype and need unsafe loading: all that, put back.

    e3nn keeps the code that it generates as TorchScript inside the pickle and loads it onto the device that it was saved on, whatever
    ``torch.load`` was asked for; so it is told the CPU as well.
    """
    before, level = torch.get_default_dtype(), logging.root.level
    load: Any = torch.jit.load
    with quiet(), environment_restored("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"), contextlib.redirect_stdout(io.StringIO()):
        os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

        @functools.wraps(load)
        def on_the_cpu(f: Any, map_location: Any = None, *args: Any, **options: Any) -> Any:
            return load(f, "cpu", *args, **options)

        torch.jit.load = on_the_cpu
        try:
            yield
        finally:
            torch.jit.load = load
            torch.set_default_dtype(before)
            logging.root.setLevel(level)


def unpickled(path: Path) -> object:
    """What a file of torch's holds, on the CPU.

    Raises:
        InputError: truncated, no file of torch's, or of code that is not installed here.
    """
    where = f"model {path} cannot be loaded"
    try:
        with upstream_loading():
            return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_PICKLE)
    except Exception as error:  # unpickling foreign bytes can raise anything
        if (missing := _missing(error)) is not None:
            raise InputError(f"{where}: {_remedy(missing)}") from error
        if (archive := _archive(path)) is not None:
            raise InputError(f"{where}: it is {archive}, whose blocks cannot be told apart; give the .model it was made from") from error
        raise InputError(f"{where} (truncated, or not a torch file?): {type(error).__name__}: {_first_line(error)}") from error


def _missing(error: BaseException | None) -> _MissingClassError | None:
    while error is not None and not isinstance(error, _MissingClassError):
        error = error.__cause__ or error.__context__
    return error


def _remedy(missing: _MissingClassError) -> str:
    package = missing.module.partition(".")[0]
    if package in modules("kernels", "compiled"):
        owner = "cuEquivariance" if package.startswith("cue") else "OpenEquivariance"
        return f"it was converted to {owner}, and {package} is not installed here; install it, or give the e3nn model that was converted"
    if package == "__main__" or not _installed(package):
        holder = "the script that saved it" if package == "__main__" else f"the package {package}, which is not installed here"
        return f"it needs {missing} of {holder}; install that, or save the model with classes of an installed package"
    version = f" {mace.__version__}" if package == "mace" else ""
    return f"it needs {missing}, which the installed {package}{version} lacks; install the version that saved it"


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _archive(path: Path) -> str | None:
    """What a zip archive is that holds no pickle; None for every other file."""
    with contextlib.suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist()}
        return next((what for name, what in ARCHIVES.items() if name in names), None)
    return None


def _first_line(error: BaseException) -> str:
    """Of torch's texts the first line says what is wrong, and kilobytes of dispatch tables follow."""
    return shortened(one_line(next(iter(str(error).splitlines()), "")), 300)
