"""How much of what runs on CUDA only has run on stand-ins: ``python tools/cuda_coverage.py COVERAGE.json``, branches counted; 1 below 95 %.

CUDA paths are the modules that are of a GPU alone, and of every other module the functions that call CUDA or ask whether a device is one.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mpcheck._files.io import read_text
from mpcheck._text import say

ROOT = Path(__file__).parents[1]
WHOLE = ("mpcheck/_cuda.py", "mpcheck/bench/gpu/", "mpcheck/bench/cost/device.py")
KIND = "cuda"
LEAST = 95.0


def asks(node: ast.AST) -> bool:
    """Whether code calls CUDA, or compares something with its name."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id == "CUDA":
            return True
        if isinstance(inner, ast.Compare) and any(isinstance(c, ast.Constant) and c.value == KIND for c in inner.comparators):
            return True
        if isinstance(inner, ast.Call) and ast.unparse(inner.func).endswith(".startswith") and ast.unparse(inner).endswith("('cuda')"):
            return True
    return False


def lines_of(path: str, tree: ast.Module) -> set[int]:
    """Lines of a module's CUDA paths."""
    if path.startswith(WHOLE):
        return set(range(1, 1 + max((getattr(n, "end_lineno", 0) or 0 for n in ast.walk(tree)), default=0)))
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and asks(node):
            found |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def counted(path: str, file: dict[str, Any]) -> tuple[int, int, list[int]]:
    """Lines and branches of the CUDA paths: (that ran, all, lines that did not or from which one branch did not)."""
    own = lines_of(path, ast.parse(read_text(ROOT / path, "module")))
    ran = [n for n in file["executed_lines"] if n in own]
    missed = [n for n in file["missing_lines"] if n in own]
    taken = [b for b in file.get("executed_branches", []) if b[0] in own]
    left = [b for b in file.get("missing_branches", []) if b[0] in own]
    return len(ran) + len(taken), len(ran) + len(taken) + len(missed) + len(left), sorted({*missed, *(b[0] for b in left)})


def rows(data: dict[str, Any]) -> Iterator[tuple[str, int, int, list[int]]]:
    """Every module that has CUDA paths."""
    for name, file in sorted(data["files"].items()):
        path = Path(name).resolve().relative_to(ROOT).as_posix() if Path(name).is_absolute() else Path(name).as_posix()
        if path.startswith("mpcheck/"):
            ran, every, left = counted(path, file)
            if every:
                yield path, ran, every, left


def main(words: Sequence[str]) -> int:
    found = list(rows(json.loads(read_text(Path(words[0]), "coverage"))))
    for path, ran, every, left in found:
        say(f"{100 * ran / every:5.1f} %  {ran:4} of {every:4}  {path}" + (f"  lines {', '.join(map(str, left[:12]))}" if left else ""))
    ran, every = sum(r for _, r, _, _ in found), sum(e for _, _, e, _ in found)
    share = 100 * ran / max(every, 1)
    say(f"CUDA paths under fakes: {share:.1f} % of {every} lines and branches; at least {LEAST:g} % are wanted")
    return 0 if share >= LEAST else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
