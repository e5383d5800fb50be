"""What runs inside a side: which files it imports, and where in them the classes of a model's blocks are."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

SKIPPED = frozenset({"__pycache__", ".git"})


def installed(packages: Path) -> list[str]:
    """Top-level packages that an install put into a side's own environment, editable ones among them."""
    names: set[str] = set()
    for distribution in metadata.distributions(path=[str(packages)]):
        if distribution.metadata["Name"] in ("pip", "setuptools", "wheel"):
            continue
        names.update((distribution.read_text("top_level.txt") or "").split())
        names.update(path.parts[0] for path in distribution.files or () if len(path.parts) > 1 and path.suffix in (".py", ".so"))
    for listing in packages.glob("*.pth"):
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line and not line.startswith(("import ", "import\t", "#")):
                names.update(init.parent.name for init in Path(line).glob("*/__init__.py"))
    return sorted(name for name in names if name.isidentifier() and not name.startswith("_"))


def content(place: Path) -> str:
    """A digest of a package's files, whatever language they are in."""
    state = hashlib.sha256()
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file() and not SKIPPED & set(p.parts) and p.suffix != ".pyc")
    for path in files:
        state.update(str(path.relative_to(place.parent)).encode() + b"\0" + path.read_bytes())
    return state.hexdigest()[:16]


def imported(names: list[str]) -> dict[str, dict[str, str]]:
    """Of every package that can be found: its place, and a digest of its files. Nothing is imported."""
    packages = {}
    for name in names:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            spec = None
        where = (spec.origin or next(iter(spec.submodule_search_locations or []), None)) if spec is not None else None
        if where is None or where in ("built-in", "frozen"):
            continue
        place = Path(where).parent if Path(where).name.startswith("__init__.") else Path(where)
        packages[name] = {"path": str(place), "version": _version(name), "digest": content(place)}
    return packages


def _version(name: str) -> str:
    try:
        return ", ".join(sorted({metadata.version(d) for d in metadata.packages_distributions().get(name, [])})) or "unknown"
    except metadata.PackageNotFoundError:
        return "unknown"


def places(model: str) -> dict[str, dict[str, Any]]:
    """Source of every submodule's class: ``{"interactions.1": {"class": …, "file": …, "line": …}}``."""
    from mpcheck.adapters.load import load_model
    from mpcheck.adapters.places import places as written

    found = written(load_model(model).module)
    return {name: {"class": place.owner, "file": place.file, "line": place.line} for name, place in found.items()}


def main() -> None:
    """``probe.main()`` with a request on standard input and the answer's file as argument."""
    request = json.loads(sys.stdin.read())
    if "model" in request:
        answer: dict[str, Any] = places(request["model"])
    else:
        from mpcheck.adapters import upstream  # noqa: F401 - what cannot be imported is told before minutes are spent

        answer = imported(sorted({*request["names"], *installed(Path(request["packages"]))}))
    Path(sys.argv[1]).write_text(json.dumps(answer), encoding="utf-8")
