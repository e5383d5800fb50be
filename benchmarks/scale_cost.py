"""What a run costs as structures grow: ``nox -s cost -- --sizes``.

A model of MACE-OFF-medium's size on supercells of diamond, cold, one thread, each size in a process of its own: seconds, peak resident memory,
bytes of references; and the exponents with which they grow with the number of edges, between the two sizes at either end. With ``--water``
a model of that size on 33 atoms of water instead, on both backends in every format.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MODEL, SYSTEM = "recipe:canonical:C", "builtin:diamond:{}"
SIZES = (2, 3, 5)
CHOSEN = ("--backend", "e3nn", "--format", "float32", "--format", "bfloat16")


@dataclass(frozen=True)
class Cost:
    """Of one size.

    Attributes:
        seconds: of processor and wall clock. memory, cache: bytes.
    """

    system: str
    atoms: int
    edges: int
    wall: float
    processor: float
    memory: float
    cache: float


def measured(model: str, system: str, words: Sequence[str] = CHOSEN) -> Cost:
    """One cold run.

    Raises:
        SystemExit: it was not green.
    """
    with tempfile.TemporaryDirectory() as place:
        cache, out = Path(place) / "cache", Path(place) / "out"
        command = [sys.executable, "-m", "mpcheck", "run", model, "--system", system, *words, "--cache", str(cache), "--out", str(out)]
        began = time.perf_counter()
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            _, status, used = os.wait4(process.pid, 0)  # of this one alone
            wall = time.perf_counter() - began
            if status:
                said.seek(0)
                raise SystemExit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}:\n{said.read()[-3000:]}")
        told = json.loads((out / "precision.json").read_text(encoding="utf-8"))["systems"][0]
        size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    return Cost(system, told["atoms"], told["edges"], wall, used.ru_utime + used.ru_stime, 1024.0 * used.ru_maxrss, float(size))


def exponent(small: Cost, large: Cost, what: str) -> float:
    """With which a cost grows with the number of edges."""
    return math.log(getattr(large, what) / getattr(small, what)) / math.log(large.edges / small.edges)


def table(costs: Sequence[Cost]) -> list[str]:
    """As Markdown."""
    lines = ["| structure | atoms | edges | seconds | of processor | peak memory | references |", "|---|---:|---:|---:|---:|---:|---:|"]
    for cost in costs:
        sizes = f"{cost.memory / 1e9:.1f} GB | {cost.cache / 1e6:.0f} MB"
        lines.append(f"| `{cost.system}` | {cost.atoms:,} | {cost.edges:,} | {cost.wall:.0f} | {cost.processor:.0f} | {sizes} |")
    if len(costs) > 1:
        grown = [f"{exponent(costs[0], costs[-1], what):.2f}" for what in ("wall", "processor", "memory", "cache")]
        lines.append(f"| exponent in edges | | | {' | '.join(grown)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="nox -s cost -- --sizes", description=__doc__)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--size", type=int, action="append", help=f"supercell of diamond; default: {', '.join(map(str, SIZES))}")
    parser.add_argument("--water", action="store_true", help="recipe:canonical on builtin:water, both backends, every format")
    args = parser.parse_args()
    if args.water:
        print("\n".join(table([measured("recipe:canonical", "builtin:water", ())])))
        return
    costs = []
    for size in sorted(args.size or SIZES):
        costs.append(measured(args.model, SYSTEM.format(size)))
        print(table(costs[-1:])[-1], flush=True)
    print("\n".join(table(costs)))


if __name__ == "__main__":
    main()
