"""Give mutated files to every command and reader: ``nox -s fuzz -- --inputs``."""

from __future__ import annotations

import argparse
import base64
import hashlib
import itertools
import re
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import ruamel.yaml

from tests.fuzz.inputs.cases import CORPUS, Case, Kept, corpus, run
from tests.fuzz.inputs.pool import Pool, Result
from tests.fuzz.inputs.seeds import write_seeds

SHRINKING = 20.0  # seconds for one finding


def signature(wrong: str) -> str:
    """What two findings share that are the same fault."""
    return re.sub(r"[0-9]+", "#", wrong.partition(": ")[0])


def smaller(case: Case, wrong: str, root: Path, seconds: float = SHRINKING) -> Case:
    """The same fault from less content: pieces are taken out as long as it stays."""
    if not wrong.startswith("raised"):  # what hangs or grows takes too long, and what kills a process must not be tried here
        return case
    until, size = time.monotonic() + seconds, max(1, len(case.content) // 2)
    while size and time.monotonic() < until:
        start = 0
        while start < len(case.content) and time.monotonic() < until:
            less = Case(case.target, case.attempt, case.content[:start] + case.content[start + size :])
            if signature(run(less, root)) == signature(wrong):
                case = less
            else:
                start += size
        size //= 2
    return case


def keep(case: Case, wrong: str, seed: str) -> Path:
    """Write a finding to the corpus, from where every later run begins."""
    kept = Kept(
        target=case.target, attempt=case.attempt, content=base64.b64encode(zlib.compress(case.content, 9)).decode(), found=wrong[:300], seed=seed
    )
    path = CORPUS / f"found-{hashlib.sha256(case.content + case.target.encode()).hexdigest()[:12]}.yaml"
    yaml = ruamel.yaml.YAML()
    yaml.width = 120
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(kept.model_dump(), stream)
    return path


def seeds(first: int, count: int, until: float) -> Iterator[str]:
    """Of cases, until there are enough or the time is over."""
    for number in itertools.count() if count == 0 else range(count):
        if time.monotonic() >= until:
            return
        yield f"{first}-{number}"


def campaign(root: Path, pool: Pool, chosen: argparse.Namespace) -> tuple[Counter[str], dict[str, Result]]:
    """How many cases each target had, and the first finding of each kind."""
    began = time.monotonic()
    tally, found = Counter[str](), dict[str, Result]()
    for result in pool.results(seeds(chosen.seed, chosen.count, began + chosen.seconds)):
        tally[result.case.target] += 1
        if result.wrong and signature(result.wrong) not in found:
            found[signature(result.wrong)] = result
            print(f"FOUND {result.seed} {result.case.target}, attempt {result.case.attempt}: {result.wrong}", flush=True)
        if tally.total() % 500 == 0:
            print(f"  … {tally.total()} cases, {len(found)} findings, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(f"{tally.total()} cases in {time.monotonic() - began:.0f} s: " + ", ".join(f"{n} {name}" for name, n in tally.most_common()))
    return tally, found


def replay(root: Path) -> list[str]:
    """What is wrong again of what was once found."""
    return [f"{name}: {wrong}" for name, kept in corpus().items() if (wrong := run(kept.case, root))]


def main(arguments: list[str] | None = None) -> int:
    """The command; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="nox -s fuzz -- --inputs", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="time for new cases, at most")
    parser.add_argument("--count", type=int, default=10_000, help="of new cases; 0 for as many as the time allows")
    parser.add_argument("--seed", type=int, default=0, help="of the campaign: the same one draws the same cases")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--keep", action="store_true", help="write what is found, made smaller, to tests/fuzz/inputs/corpus")
    chosen = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="mpcheck-seeds-") as name:
        root = Path(name)
        write_seeds(root)
        again = replay(root)
        for line in again:
            print(f"AGAIN {line}", flush=True)
        pool = Pool(root, chosen.workers)
        try:
            tally, found = campaign(root, pool, chosen)
        finally:
            pool.close()
        for result in found.values() if chosen.keep else ():
            case = smaller(result.case, result.wrong, root)
            print(f"kept {keep(case, result.wrong, result.seed)}: {len(case.content)} bytes")
    print(f"{len(found)} findings" if tally else "no case was run")
    return 1 if found or again or not tally else 0


if __name__ == "__main__":
    sys.exit(main())
