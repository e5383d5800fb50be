"""The zoo session: ``python -m tests.zoo.run [ID …]``. Ends with status 1 where a sound model is red, or nothing was judged."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import mpcheck
from mpcheck._errors import InputError
from mpcheck.records.environment import describe
from tests.zoo.entries import Entry, chosen, older, standard
from tests.zoo.judging import FORMATS, SESSIONS, broken, judged
from tests.zoo.records import TOLD, Row, Zoo, line, write_zoo


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """What the user chose."""
    parser = argparse.ArgumentParser(prog="nox -s zoo --", description=__doc__)
    parser.add_argument("ids", nargs="*", help="of models, as glob patterns; default: all")
    parser.add_argument("--smoke", action="store_true", help="a few of every kind: two minutes on two cores")
    parser.add_argument("--older", action="store_true", help="models that older releases of upstream saved, besides")
    parser.add_argument("--session", action="append", choices=SESSIONS, help="default: all three")
    parser.add_argument("--format", action="append", help=f"number format; default: {', '.join(FORMATS)}")
    parser.add_argument("--workers", type=int, default=min(os.cpu_count() or 1, 8), help="processes; default: one for each core")
    parser.add_argument("--out", type=Path, default=Path("reports/zoo"))
    parser.add_argument("--list", action="store_true", help="print models and their structures, and end")
    return parser.parse_args(words)


def plan(args: argparse.Namespace, made: Path) -> tuple[list[Entry], list[Row]]:
    """What is run, and rows of what cannot be."""
    entries, lost = standard(), list[Row]()
    if args.older:
        old, failed = older(made, args.ids)
        entries += old
        lost = [broken(Entry(name, ()), "precision", why) for name, why in failed.items()]
    return chosen(entries, args.ids, args.smoke), lost


def main(words: Sequence[str] | None = None) -> int:
    """The command; 1 where something is red."""
    args = arguments(words)
    out = args.out.resolve()
    with tempfile.TemporaryDirectory() as made:
        try:
            entries, lost = plan(args, Path(made))
        except InputError as error:
            print(f"zoo: error: {error}", file=sys.stderr)
            return 2
        if args.list:
            print("\n".join(f"{entry.id:28} {', '.join(entry.structures)}" for entry in entries))
            return 0
        out.mkdir(parents=True, exist_ok=True)
        found = Zoo(mpcheck=mpcheck.__version__, environment=describe("cpu"), rows=lost)
        _run_all(entries, args, out, found)
    write_zoo(out, found)
    count = f"{len(found.red)} red of {len(found.rows)} sessions of {len({r.id for r in found.rows})} models"
    print(f"{count}, {sum(r.cells for r in found.rows)} records; {out / 'zoo.md'}")
    return 0 if found.green else 1


def _run_all(entries: Sequence[Entry], args: argparse.Namespace, out: Path, found: Zoo) -> None:
    """Every entry, as many at a time as there are workers; rows are kept as they come."""
    began, sessions, formats = time.perf_counter(), args.session or SESSIONS, args.format or FORMATS
    with ProcessPoolExecutor(args.workers, get_context("spawn")) as pool:
        running: dict[Future[list[Row]], Entry] = {pool.submit(judged, entry, sessions, formats, out): entry for entry in entries}
        for number, future in enumerate(as_completed(running), 1):
            entry = running[future]
            try:
                rows = future.result()
            except Exception as error:  # also a worker that died: what yields no record is red
                rows = [broken(entry, session, f"{type(error).__name__}: {error}") for session in sessions]
            found.rows.extend(rows)
            write_zoo(out, found)
            spent = time.perf_counter() - began
            print(f"{number} of {len(entries)} models, {spent:.0f} s, about {spent / number * (len(entries) - number):.0f} s left", flush=True)
            for row in rows:
                print("  ".join(["", line(row), *([] if row.state != "red" else [""])]).rstrip(), flush=True)
                for text in row.red[:TOLD]:
                    print(f"      {text[:300]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
