"""Both sides made, and what each really imports said: a gate that measures the same code twice is worthless."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._io import digest, is_file, read_text
from mpcheck._json import BrokenError, parse
from mpcheck.gate.environments import Side, make_side
from mpcheck.gate.processes import run
from mpcheck.gate.settings import GateSettings
from mpcheck.gate.trees import Tree

LIBRARIES = ("mace", "e3nn", "cuequivariance", "cuequivariance_torch", "openequivariance")
PROBE_SECONDS = 300.0
Sources = dict[str, dict[str, str]]


@dataclass
class Sides:
    """What is compared.

    Attributes:
        head: always there. base: where a commit was named.
        sources: by side, of every package its place, version and digest. broken: by side, why it cannot be imported.
        temporary: gone with the gate.
    """

    head: Side
    base: Side | None
    temporary: Path
    sources: dict[str, Sources] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def both(self) -> list[Side]:
        """Base first."""
        return [side for side in (self.base, self.head) if side is not None]

    def usable(self, name: str) -> bool:
        """Whether a side is there and can be imported."""
        return name in self.sources

    def reference_key(self, reference: str, side: str) -> str:
        """Name of the cache in which a side's float64 references are: base's, where head is judged against it, else its own.

        Their own cache knows packages by version, and two commits of one package mostly have the same.
        """
        owner = "base" if reference == "base" and self.usable("base") else side
        facts = self.sources[owner]
        return digest(*(f"{name} {facts[name]['digest']}" for name in sorted(facts)))[:24]

    @property
    def lines(self) -> list[str]:
        """What each side imports, in words; what is the same on both sides in one line."""
        found = [f"{name} cannot be imported: {why}" for name, why in self.broken.items()]
        shared = [name for name in self.sources.get("head", {}) if self.sources.get("base", {}).get(name) == self.sources["head"][name]]
        for side in self.both:
            for name, facts in self.sources.get(side.tree.name, {}).items():
                if name not in shared:
                    where = f"{side.tree.name} {side.tree.commit}".strip()
                    found.append(f"{where}: {name} {facts['version']} from {facts['path']} (sha256 {facts['digest']})")
        if shared:
            found.append("on both sides: " + ", ".join(f"{name} {self.sources['head'][name]['version']}" for name in shared))
        return found


def probe(side: Side, request: dict[str, Any], cwd: Path, directory: Path) -> tuple[dict[str, Any], str]:
    """Ask a side about itself; the answer, or why there is none."""
    answer = directory / f"{side.tree.name}-answer.json"
    answer.unlink(missing_ok=True)
    log = directory / f"{side.tree.name}-probe.log"
    ended = run(side, "gate.probe:main", [str(answer)], cwd, log, PROBE_SECONDS, json.dumps(request))
    if ended.code or ended.code is None or not is_file(answer):
        return {}, ended.refusal or f"{ended.how}: {ended.last_words}"
    try:
        found = parse(read_text(answer, "answer"))
    except (BrokenError, InputError) as error:  # the side's own code can have written anything
        return {}, f"it gave no answer: {error}"
    return (found, "") if isinstance(found, dict) else ({}, f"it gave no answer but {str(found)[:80]!r}")


@contextlib.contextmanager
def made(base: Tree | None, head: Tree, settings: GateSettings, out: Path, say: Callable[[str], None]) -> Iterator[Sides]:
    """Both environments, made and probed.

    Args:
        out: gets what the install commands said.

    Raises:
        InputError: an install that fails; both sides import the very same files.
    """
    with tempfile.TemporaryDirectory(prefix="mpcheck-gate-", ignore_cleanup_errors=True) as directory:
        temporary = Path(directory)
        found: dict[str, Side] = {}
        for tree in filter(None, (base, head)):
            say(f"{tree.name} {tree.commit}".strip() + f": {'installing' if settings.commands else 'environment'}")
            log = out / tree.name / "install.log"
            found[tree.name] = make_side(tree, head, temporary / tree.name, settings.commands, log, settings.timeout)
        sides = Sides(found["head"], found.get("base"), temporary)
        names = sorted({*LIBRARIES, *head.packages, *(base.packages if base is not None else ())})
        for side in sides.both:
            answer, reason = probe(side, {"names": names, "packages": str(side.packages)}, head.root, temporary)
            if reason:
                sides.broken[side.tree.name] = reason
            else:
                sides.sources[side.tree.name] = answer
        if sides.usable("base") and sides.usable("head"):
            refuse_the_same(sides)
        yield sides


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
