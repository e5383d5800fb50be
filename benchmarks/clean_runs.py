"""False alarms: repeat the clean suite over seeds and thread counts and count red cells.

``python benchmarks/clean_runs.py --runs 20 [--model recipe:odd]``. Every run has other structures' rattling, cotangents and
Monte Carlo draws; thread counts alternate between 1 and 2.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from mpcheck.session import Options, Session


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--threads", type=int, action="append", default=[], help="thread counts to alternate; default: 1 and 2")
    parser.add_argument("--model", default="builtin:hco")
    parser.add_argument("--system", action="append", default=[])
    parser.add_argument("--backend", action="append", default=[])
    args = parser.parse_args()
    threads = args.threads or [1, 2]
    before, total, red = torch.get_num_threads(), Counter[str](), 0
    for run in range(args.runs):
        seed = args.first_seed + run
        torch.set_num_threads(threads[run % len(threads)])
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as cache:
            options = Options(
                model=args.model,
                systems=tuple(args.system),
                backends=tuple(args.backend) or ("e3nn", "cueq"),
                cache=Path(cache),
                seed=seed,
            )
            session = Session(options)
            for key in session.cells():
                cell = session.judge(key)
                total[cell.verdict] += 1
                if cell.verdict == "fail":
                    red += 1
                    print(f"seed {seed}: {cell.id}: {cell.reason}", flush=True)
        print(f"run {run + 1}: seed {seed}, {torch.get_num_threads()} threads, {time.perf_counter() - began:.0f} s, so far {dict(total)}", flush=True)
    torch.set_num_threads(before)
    print(f"{red} red cells in {total.total()}")
    raise SystemExit(1 if red else 0)


if __name__ == "__main__":
    main()
