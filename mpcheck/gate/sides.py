"""Both sides made, and what each really imports said: a gate that measures the same code twice is worthless."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._files.documents import BrokenError, parse
from mpcheck._files.io import digest, is_file, read_text
from mpcheck._packages import modules
from mpcheck.gate.environments import Side, make_side
from mpcheck.gate.processes import run
from mpcheck.gate.trees import Tree

PROBE_SECONDS = 300.0
Sources = dict[str, dict[str, str]]


@dataclass
class Sides:
    """What is compared.

    Attributes:
        head: always there. base: where a commit was named.
        sources: by side, of every package its place, version and digest. broken: by side, why it cannot be imported.
        temporary: gone with the gate. files: where the sessions of both run, and find models, structures and baselines; None for head's root.
        pins: by session, whose references head is judged against; see :data:`mpcheck.reference.spec.PINNED`.
    """

    head: Side
    base: Side | None
    temporary: Path
    sources: dict[str, Sources] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    files: Path | None = None
    pins: dict[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """In which the processes of both sides run."""
        return self.files or self.head.tree.root

    @property
    def both(self) -> list[Side]:
        """Base first."""
        return [side for side in (self.base, self.head) if side is not None]

    def usable(self, name: str) -> bool:
        """Whether a side is there and can be imported."""
        return name in self.sources

    def sources_key(self, side: str) -> str:
        """A digest of all that a side imports: the directory in which a gate keeps the references that it made."""
        facts = self.sources[side]
        return digest(*(f"{name} {facts[name]['digest']}" for name in sorted(facts)))[:24]

    @property
    def lines(self) -> list[str]:
        """What each side imports, in words; what is the same on both sides in one line."""
        lines = [f"{name} cannot be imported: {why}" for name, why in self.broken.items()]
        shared = [name for name in self.sources.get("head", {}) if self.sources.get("base", {}).get(name) == self.sources["head"][name]]
        for side in self.both:
            for name, facts in self.sources.get(side.tree.name, {}).items():
                if name not in shared:
                    where = f"{side.tree.name} {side.tree.commit}".strip()
                    lines.append(f"{where}: {name} {facts['version']} from {facts['path']} (sha256 {facts['digest']})")
        if shared:
            lines.append("on both sides: " + ", ".join(f"{name} {self.sources['head'][name]['version']}" for name in shared))
        return lines


def probe(side: Side, request: dict[str, Any], cwd: Path, directory: Path) -> tuple[dict[str, Any], str]:
    """Ask a side about itself; the answer, or why there is none."""
    answer = directory / f"{side.tree.name}-answer.json"
    answer.unlink(missing_ok=True)
    log = directory / f"{side.tree.name}-probe.log"
    ended = run(side, "gate.probe:main", [str(answer)], cwd, log, PROBE_SECONDS, json.dumps(request))
    if ended.code or ended.code is None or not is_file(answer):
        return {}, ended.refusal or f"{ended.how}: {ended.last_words}"
    try:
        facts = parse(read_text(answer, "answer"))
    except (BrokenError, InputError) as error:  # the side's own code can have written anything
        return {}, f"it gave no answer: {error}"
    return (facts, "") if isinstance(facts, dict) else ({}, f"it gave no answer but {str(facts)[:80]!r}")


@contextlib.contextmanager
def planned(base: Tree | None, head: Tree) -> Iterator[Sides]:
    """Both sides before anything of them is made: base is made, probed and run before a file of head is."""
    with tempfile.TemporaryDirectory(prefix="mpcheck-gate-", ignore_cleanup_errors=True) as directory:
        temporary = Path(directory)
        yield Sides(Side(head, temporary / "head"), Side(base, temporary / "base") if base is not None else None, temporary)


def make(sides: Sides, side: Side, commands: Sequence[Sequence[str]], timeout: float, out: Path, say: Callable[[str], None]) -> None:
    """Make a side's environment and ask it what it imports.

    Args:
        out: gets what the install commands said.

    Raises:
        InputError: an install that fails; both sides import the very same files.
    """
    tree, head = side.tree, sides.head.tree
    say(f"{tree.name} {tree.commit}".strip() + f": {'installing' if commands else 'environment'}")
    make_side(tree, head, side.home, commands, out / tree.name / "install.log", timeout)
    packages = (sides.base.tree.packages if sides.base is not None else []) + head.packages
    names = sorted({*modules("model", "kernels", "compiled"), *packages})
    answer, reason = probe(side, {"names": names, "packages": str(side.packages)}, sides.directory, sides.temporary)
    if reason:
        sides.broken[tree.name] = reason
    else:
        sides.sources[tree.name] = answer
    if sides.usable("base") and sides.usable("head"):
        refuse_the_same(sides)


def reference_of(record: Path) -> str:
    """Which references a session of base made, for :data:`mpcheck.reference.spec.PINNED`; those of no code where it came to no verdict."""
    try:
        data = json.loads(record.read_text(encoding="utf-8"))
        codes = {system["reference"]["code"] for system in data["systems"] if system.get("reference")}
        return f"{codes.pop() if len(codes) == 1 else ''}:{data['model']['digest']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ":"


def refuse_the_same(sides: Sides) -> None:
    """Refuse to compare a thing with itself.

    Raises:
        InputError: a package of the repository whose files differ is imported from one place on both sides; or nothing that is
            imported lies in different places.
    """
    base, head = sides.sources["base"], sides.sources["head"]
    shared = sorted(base.keys() & head.keys())
    same = [name for name in shared if base[name]["path"] == head[name]["path"]]
    remedy = 'set `install` in mpcheck.toml to what installs the repository, such as "pip install --no-deps --no-build-isolation -e ."'
    assert sides.base is not None  # both are usable
    own = {*sides.base.tree.packages, *sides.head.tree.packages}
    for name in same:
        if name in own:
            raise InputError(f"base and head both import {name} from {head[name]['path']}, which is neither's own tree; {remedy}")
    if len(same) == len(shared) and base.keys() == head.keys():
        where = ", ".join(f"{name} from {head[name]['path']}" for name in same) or "nothing"
        raise InputError(f"base and head import the very same files ({where}), so that nothing of the change would be measured; {remedy}, or no base")
