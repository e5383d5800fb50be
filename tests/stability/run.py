"""The stability session: ``python -m tests.stability.run --cells 50000 --workers 2``. Ends with status 1 where a clean cell is red."""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import Manager, get_context
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import torch

import mpcheck
from mpcheck._names import WHOLE
from mpcheck.records.environment import describe
from tests.stability.passes import Group, Runner
from tests.stability.records import Pass, Stability, write_stability
from tests.stability.variations import BACKENDS, VARIATIONS

A_SEED = 4  # variations besides the plain pass: references cost as much as a pass, so that a few share them
MODELS = {"builtin:hco": 1, "recipe:odd": 4}  # a model, and how many seeds of the first there are for one of its
ESTIMATE = {"builtin:hco": 2900, "recipe:odd": 1700}  # cells of a pass that have a verdict; only for the plan, the record counts
LARGE = {
    "builtin:hco": ("builtin:water:120", "builtin:diamond:3", "builtin:carbon-cluster:400", "builtin:dense:4"),
    "recipe:odd": ("builtin:water:150", "builtin:slab:12", "builtin:diamond:3", "builtin:dense:4"),
}
"""Structures of more edges than blocks are judged on: liquid, crystal, cluster, slab, and one of more than 256 neighbours."""
LARGE_SHARE = 1 / 3
"""Of the judged cells, at least."""
SHARE = {"plain Python instead of TorchScript": 0.5, "torch.compile": 0.02}  # of them, where one backend or few blocks are judged


def expected_cells(groups: list[Group]) -> float:
    """About how many cells with a verdict a plan's precision passes hold."""
    return sum(ESTIMATE[g.model] * SHARE.get(v, 1.0) for g in groups for v in g.variations)


def plan(cells: int, first_seed: int) -> list[Group]:
    """Groups whose passes hold so many cells at least, a third of them of large structures: every variation in turn, every model."""
    names: Iterator[str] = itertools.cycle([n for n in (*VARIATIONS, *BACKENDS) if n != "as installed"])
    groups: list[Group] = []
    seed = first_seed
    while expected_cells(groups) < cells:
        for model, every in MODELS.items():
            if (seed - first_seed) % every:
                continue
            chosen = ("as installed", *itertools.islice(names, A_SEED))
            first = seed == first_seed
            groups.append(Group(model, seed, chosen, ("symmetry", "audit") if first else ()))
            own = [g for g in groups if g.model == model]
            if expected_cells([g for g in own if g.systems]) < LARGE_SHARE * expected_cells(own):
                chosen = ("as installed", *itertools.islice(names, A_SEED))
                groups.append(Group(model, seed, chosen, (WHOLE,), LARGE[model]))
        seed += 1
    return groups


_HELD: dict[str, Runner] = {}


def work(group: Group, cache: str, passes: Queue[Any], words: Queue[Any]) -> None:
    """One group in a worker process."""
    sys.stderr = open(os.devnull, "w") if not os.environ.get("MPCHECK_STABILITY_VERBOSE") else sys.stderr  # noqa: SIM115, PTH123
    torch.set_num_threads(1)  # what varies is a variation's
    logging.getLogger("torch._guards").setLevel(logging.CRITICAL)  # Dynamo logs a traceback for whatever it cannot trace
    runner = _HELD.setdefault("runner", Runner(Path(cache), lambda text: words.put((os.getpid(), text))))
    runner.run(group, lambda found: passes.put(found.model_dump()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=50_000, help="judged at least")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("reports/stability.json"))
    args = parser.parse_args()
    began, found = time.perf_counter(), Stability(mpcheck=mpcheck.__version__, environment=describe("cpu"), passes=[])
    groups = plan(args.cells, args.first_seed)
    print(f"{len(groups)} groups, {sum(len(g.variations) + len(g.sessions) for g in groups)} passes", flush=True)
    with tempfile.TemporaryDirectory() as cache, Manager() as manager, ProcessPoolExecutor(args.workers, get_context("spawn")) as pool:
        passes: Queue[Any] = manager.Queue()
        words: Queue[Any] = manager.Queue()
        running = [pool.submit(work, group, cache, passes, words) for group in groups]
        said: dict[int, str] = {}
        while not all(f.done() for f in running) or not passes.empty():
            try:
                found.passes.append(Pass.model_validate(passes.get(timeout=2)))
            except Empty:
                while not words.empty():
                    said.update([words.get()])
                if sys.stderr.isatty():
                    print(f"\r\033[K  … {' | '.join(said.values())[:110]}", end="", file=sys.stderr, flush=True)
                continue
            write_stability(args.out, found)
            last = found.passes[-1]
            model = f"{last.model}{' large' if last.sampled else ''}"
            print(
                f"{time.perf_counter() - began:6.0f} s  {last.session} {model} seed {last.seed}, {last.threads} threads, {last.variation}: "
                f"{last.verdicts}, {last.seconds:.0f} s; so far {found.judged} judged, {found.sampled} sampled, {len(found.red)} red",
                flush=True,
            )
            for line in last.red:
                print(f"    RED {line}", flush=True)
        for future in as_completed(running):
            future.result()
    print(f"{len(found.red)} red of {found.judged} judged cells, {found.sampled} of them sampled, in {len(found.passes)} passes; {args.out}")
    raise SystemExit(1 if found.red or found.judged < args.cells else 0)


if __name__ == "__main__":
    main()
