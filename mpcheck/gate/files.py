"""The files that decide beside the code: models, structures, baselines. They are taken from base where base has them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.io import is_file, sha256_file
from mpcheck.gate.settings import GateSettings
from mpcheck.gate.stored import effect_of
from mpcheck.gate.trees import Tree
from mpcheck.history.objections import Objection, cut

BASELINES = "baselines"  # of sessions that are told of none
NAMED = re.compile(r"(builtin|recipe|mace_mp|mace_off):")
POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\n")
KINDS = {"model": "model", "system": "structures", "policy file": "settings", "protocol file": "settings"}
LISTED = {"policy file": "policies", "protocol file": "protocols"}
"""Of settings whose names may be YAML files, what each is called there."""


@dataclass
class Files:
    """What the sessions of both sides read.

    Attributes:
        directory: copies, by their names relative to it. objections: differences of base and head. notes: what else is to be said.
    """

    directory: Path
    objections: list[Objection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def named(model: str, systems: Sequence[str], settings: object = None) -> Iterator[tuple[str, str]]:
    """What of the settings names files, with what it is: ``model``, ``system``, ``policy file`` or ``protocol file``.

    Args:
        settings: with lists of the last two; None of none.
    """
    if not NAMED.match(model):
        architecture = re.fullmatch(r"(.*?\.ya?ml)\+(.*)", model, re.DOTALL)
        yield from (("model", name) for name in (architecture.groups() if architecture else (model,)))
    for system in systems:
        if not NAMED.match(system):
            yield "system", system.rpartition("@")[0] or system
    for what, field_ in LISTED.items():
        yield from ((what, name) for name in getattr(settings, field_, None) or () if name.endswith((".yaml", ".yml")))


def collect(base: Tree | None, head: Tree, settings: GateSettings, own_model: bool, into: Path) -> Files:
    """Copies of the files that decide, out of reach of the change: base's where it has them, else head's.

    Args:
        settings: that decide. own_model: whether the model is what the change is about, because the repository has no code: then head's is judged.
        into: where the copies go, below the same directories as in the repository.

    Raises:
        InputError: a file that neither side has; a model of base that git has not fetched.
    """
    directory = into / head.root.relative_to(head.top)
    directory.mkdir(parents=True)
    files = Files(directory)
    for what, name in named(settings.model, settings.systems or (), settings):
        if Path(name).is_absolute() or not _inside(head, name):
            files.notes.append(f"{what} {name} lies outside of the repository; both sides use it as it is")
        else:
            _take(files, base, head, what, name, own_model and what == "model")
    _baselines(files, base, head, settings.baselines)
    return files


def _inside(tree: Tree, name: str) -> bool:
    return Path(_normal(tree.root / name)).is_relative_to(tree.top.resolve())


def _normal(path: Path) -> Path:
    """Without ``..``, links left as they are: git checks links out elsewhere."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts = parts[:-1] or parts
        else:
            parts.append(part)
    return Path(*parts)


def _take(files: Files, base: Tree | None, head: Tree, what: str, name: str, own: bool) -> None:
    """Copy one file and tell how the sides differ in it.

    Raises:
        InputError: neither has it.
    """
    new, old = head.root / name, base.root / name if base is not None else None
    kind = KINDS[what]
    if old is not None and not is_file(old):
        old = None
    if old is not None and is_file(new) and _is_pointer_to(old, new):
        old = new  # the very same content, which git fetched into the working tree only
    if old is None and not is_file(new):
        raise InputError(f"{what} {name} does not exist in {head.root}; fix the name, or add the file")
    if base is not None and (old is None or not is_file(new) or sha256_file(old) != sha256_file(new)):
        sides = [_fingerprint(path) for path in (old, new)]
        effect = "neutral" if own else "widens" if old is None else "narrows" if not is_file(new) else "loosens"
        files.objections.append(Objection(kind=kind, what=cut(name), base=sides[0], head=sides[1], effect=effect))  # type: ignore[arg-type]
        taken = "head's" if old is None or own else "base's"
        files.notes.append(f"{what} {name}: both sides use {taken}")
    source = new if old is None or (own and is_file(new)) else old
    if POINTER.match(source.open("rb").read(200)):
        raise InputError(f"{what} {name} is a pointer of Git LFS, not the file; fetch it (in a workflow: lfs: true)")
    target = _normal(files.directory / name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _is_pointer_to(pointer: Path, file: Path) -> bool:
    """Whether a file is what Git LFS keeps in the place of another."""
    with pointer.open("rb") as stream:
        match = POINTER.match(stream.read(200))
    return match is not None and match[1].decode() == sha256_file(file)


def _fingerprint(path: Path | None) -> str:
    return f"sha256 {sha256_file(path)[:12]}" if path is not None and is_file(path) else ""


def _baselines(files: Files, base: Tree | None, head: Tree, name: str) -> None:
    """Copy base's directory of stored baselines, or where it has none head's.

    Raises:
        InputError: one is named that neither has.
    """
    where = name or BASELINES
    if Path(where).is_absolute() or not _inside(head, where):
        files.notes.append(f"baselines {where} lie outside of the repository; both sides use them as they are")
        return
    trees = [tree.root / where for tree in (base, head) if tree is not None and (tree.root / where).is_dir()]
    if not trees:
        if name:
            raise InputError(f"baselines {name} is no directory in {head.root}; fix the name, or make them with `mpcheck init`")
        return
    for file in _below(trees[0]):
        target = _normal(files.directory / where) / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(trees[0] / file, target)
    if base is None:
        return
    if not (base.root / where).is_dir():
        files.notes.append(f"baselines {where} are new in head; both sides use them")
        return
    for file in sorted({*_below(base.root / where), *_below(head.root / where)}):
        old, new = base.root / where / file, head.root / where / file
        if is_file(old) and is_file(new) and sha256_file(old) == sha256_file(new):
            continue
        effect, why = effect_of(old if is_file(old) else None, new if is_file(new) else None)
        sides = (_fingerprint(old), " ".join(filter(None, (_fingerprint(new), f"({why})" if why else ""))))
        files.objections.append(Objection(kind="baselines", what=cut(f"{where}/{file}"), base=sides[0], head=cut(sides[1]), effect=effect))


def _below(directory: Path) -> list[str]:
    """Files in a directory, without hidden ones such as locks."""
    paths = (path.relative_to(directory) for path in directory.rglob("*") if is_file(path))
    return [path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)]
