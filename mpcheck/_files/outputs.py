"""One guard before a command does anything: what it is about to write is none of its inputs, and replaces nothing of another kind."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.io import cannot_write, is_file, refuse_irregular
from mpcheck._files.kinds import kind_of


@dataclass(frozen=True)
class Output:
    """A file that a command will write.

    Attributes:
        path: None where the option was not given.
        kind: what is written; see :mod:`mpcheck._files.kinds`.
        option: by which the user named it, or its directory.
    """

    path: Path | None
    kind: str
    option: str


def _names(path: Path) -> set[object]:
    """By what a file is known: where its name leads, and which file that is, so that links of both sorts are seen through."""
    try:
        names: set[object] = {os.path.realpath(path)}
        facts = path.stat()
    except (FileNotFoundError, NotADirectoryError):  # whoever writes there says why it cannot
        return names
    except (OSError, ValueError) as error:
        raise cannot_write(path, error) from error
    return names | {(facts.st_dev, facts.st_ino)}


def refuse_outputs(outputs: Sequence[Output], inputs: Iterable[Path]) -> None:
    """Refuse what would destroy something.

    Args:
        inputs: every file that is read; directories and names that nothing has are passed over.

    Raises:
        InputError: an output that is an input, by whatever name; two outputs that are one file; a directory, pipe, socket or device; an
            existing file of another kind than is written.
    """
    read = {name: path for path in inputs if os.path.lexists(path) and not path.is_dir() for name in _names(path)}
    written: dict[object, Output] = {}
    for output in outputs:
        if output.path is None:
            continue
        names = _names(output.path)
        if own := next((read[name] for name in names if name in read), None):
            other = f" (as {own})" if own != output.path else ""
            raise InputError(f"{output.option} {output.path} is read as input{other} and would be overwritten; give another file to write")
        if twin := next((written[name] for name in names if name in written), None):
            raise InputError(f"{output.option} and {twin.option} name the same file {output.path}; give two")
        written.update(dict.fromkeys(names, output))
        refuse_irregular(output.path, output.option, "give the name of a file")
        kind = kind_of(output.path)
        if kind and kind != output.kind:
            raise InputError(
                f"{output.option} {output.path} holds {kind} and would be replaced by {output.kind}; give another name, or remove it first"
            )


def model_and_systems(model: str, systems: Iterable[str]) -> list[Path]:
    """Files that a model's and structures' names may mean; what is none of them is not there."""
    document, plus, weights = model.partition("+")
    paths = [Path(model), Path(document), *([Path(weights)] if plus else [])]
    if Path(document).suffix in (".yaml", ".yml"):
        paths += [Path(document).with_suffix(suffix) for suffix in (".safetensors", ".pt", ".pth")]
    for system in systems:
        paths += [Path(system), Path(system.rpartition("@")[0] or system)]
    return [path for path in paths if is_file(path)]


def refuse_directory(path: Path | None, option: str) -> None:
    """Refuse a directory to write into that is a file.

    Raises:
        InputError: it is.
    """
    if path is not None and os.path.lexists(path) and not path.is_dir():
        raise InputError(f"{option} {path} is no directory; give another name")
