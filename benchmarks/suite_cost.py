"""What the precision suite costs, beside the least that it could cost: ``nox -s cost``.

Everything is measured in one run, on the built-in model, its default systems, both backends, five formats, both directions:

- *floor*: interpreter and imports, one construction of each backend, each cell executed once with no bookkeeping;
- *warm*: the suite with its references in the cache; *cold*: with an empty cache; *two*: the same in two processes;
- *obvious*: rebuild and deep-copy the model for each format and backend, as scripts do;
- *memory*: peak resident memory of the suite beside that of the model's own float64 forward and backward pass.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mpcheck._unsupported import Unsupported

PROBES = ("floor", "memory-model", "memory-suite", "obvious")


def seconds(command: list[str]) -> float:
    """Wall time of a command that must succeed."""
    began = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    spent = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    return spent


def probe(name: str, cache: Path) -> dict[str, float]:
    """Run one probe in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--probe", name, "--cache", str(cache)], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def floor(cache: Path) -> dict[str, float]:
    """Imports, constructions, and every cell once, nothing else."""
    began = time.perf_counter()
    from mpcheck.formats import get_format
    from mpcheck.judge.replay import replay
    from mpcheck.sessions.run import Options, Session

    imports = time.perf_counter() - began
    began = time.perf_counter()
    session = Session(Options(cache=cache))
    backends = {name: session.backend(name) for name in session.options.backends}
    construction = time.perf_counter() - began
    cells, count = 0.0, 0
    for key in session.cells():
        library = session.check(key.system).library
        reference, fmt, backend = library.get(key.block), get_format(key.format), backends[key.backend]
        if isinstance(backend, Unsupported) or reference.peaks[key.direction] > fmt.largest:
            continue
        began = time.perf_counter()
        replay(backend, reference, fmt, key.direction)
        cells += time.perf_counter() - began
        count += 1
    return {"imports": imports, "construction": construction, "cells": cells, "count": count}


def memory_model(cache: Path) -> dict[str, float]:
    """Peak memory of the model's own float64 forward and backward pass on the largest default system."""
    import torch

    from mpcheck.sessions.run import Options, Session

    session = Session(Options(cache=cache))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in session.systems:
        data = {k: v.clone() for k, v in session.graph(name).items()}
        energy = session.model.module(data, compute_force=False)["energy"].sum()
        torch.autograd.grad(energy, [p for p in session.model.module.parameters() if p.requires_grad], allow_unused=True)
    return {"start_mib": before / 1024, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def memory_suite(cache: Path) -> dict[str, float]:
    """Peak memory of references and replays on e3nn; cuEquivariance's fx graphs are code, not data."""
    from mpcheck.sessions.precision.limits import judge_by_limits
    from mpcheck.sessions.run import Options, Session

    session = Session(Options(cache=cache / "memory", backends=("e3nn",)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for key in session.cells():
        judge_by_limits(session, key)
    return {"start_mib": before / 1024, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def obvious(cache: Path) -> dict[str, float]:
    """One construction and one deep copy of the model per backend and format, before a single cell is run."""
    import torch

    from mpcheck.adapters.backends.protocol import get_backend
    from mpcheck.adapters.load import load_model
    from mpcheck.formats import FORMATS
    from mpcheck.sessions.run import parse_device

    device, spent = parse_device("cpu"), 0.0
    for name in ("e3nn", "cueq"):
        began = time.perf_counter()
        built = get_backend(name).build(load_model("builtin:hco").module, device)
        model: torch.nn.Module = vars(built)["model"]
        copy.deepcopy(model)
        spent += (time.perf_counter() - began) * len(FORMATS)  # the same for every format
    return {"models": spent}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probe", choices=PROBES)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args()
    if args.probe:
        functions = {"floor": floor, "memory-model": memory_model, "memory-suite": memory_suite, "obvious": obvious}
        print(json.dumps(functions[args.probe](args.cache)))
        return
    from mpcheck.records.environment import cpu_name

    with tempfile.TemporaryDirectory() as folder:
        cache, out = Path(folder) / "cache", Path(folder) / "out"
        run = [sys.executable, "-m", "mpcheck", "run", "--cache", str(cache), "--out", str(out)]
        two = [*run, "--workers", "2"]
        cold = seconds(run)
        cold_of_two = seconds([*two, "--cache", str(Path(folder) / "other")])
        rows, pairs = [], []
        for _ in range(args.repeats):  # interleaved: what slows the machine slows all
            parts = probe("floor", cache)
            rows.append((seconds(run), parts["imports"] + parts["construction"] + parts["cells"], parts))
            pairs.append((rows[-1][0], seconds(two)))
        warm, least, parts = min(rows, key=lambda r: r[0])
        naive = probe("obvious", cache)["models"] + parts["imports"] + parts["cells"]
        model, suite = probe("memory-model", cache), probe("memory-suite", cache)
    spread = max(r[0] for r in rows) - warm
    print(f"machine: {cpu_name()}; {parts['count']:.0f} cells")
    print(f"floor    {least:6.1f} s: imports {parts['imports']:.1f}, constructions {parts['construction']:.1f}, cells {parts['cells']:.1f}")
    print(f"warm     {warm:6.1f} s (+{spread:.1f} between repeats) = {warm / least:.2f} x floor")
    print(f"cold     {cold:6.1f} s = {cold / least:.2f} x floor")
    print(f"two      {', '.join(f'{one:.1f} -> {both:.1f} s = {one / both:.2f} x' for one, both in pairs)} (warm, two processes)")
    print(f"         {cold:.1f} -> {cold_of_two:.1f} s = {cold / cold_of_two:.2f} x (cold)")
    print(f"obvious  {naive:6.1f} s = {naive / warm:.2f} x warm: rebuild and deep-copy for each format and backend")
    print(f"memory   suite {suite['peak_mib']:.0f} MiB, model {model['peak_mib']:.0f} MiB: {suite['peak_mib'] / model['peak_mib']:.2f} x")


if __name__ == "__main__":
    main()
