"""Whether two runs' records say the same, record by record: ids, every tensor's bits, ratios, limits, verdicts and reasons; times, dates and
where things lie left out.

    python tools/same_records.py before/precision.json after/precision.json
    python tools/same_records.py --both before after      # of two directories what both have: a narrowed run against a whole one

Records of any version that mpcheck reads. Exit status 1 where they differ; the first differences are printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mpcheck.records.read import read_results
from mpcheck.records.record import Record

SHOWN = 20
FIELDS = ("verdict", "reason", "ratio", "limit", "worst", "note", "drift")


def records(path: Path) -> dict[str, Record]:
    """By session and id; one that another has, too, by its number as well."""
    by_key: dict[str, Record] = {}
    for session, document in read_results([path]).documents.items():
        for record in document.records:
            name, number = f"{session} {record.name}", 1
            while name in by_key:
                name, number = f"{session} {record.name} ({number + 1})", number + 1
            by_key[name] = record
    return by_key


def differences(before: Record, after: Record) -> Iterator[str]:
    """What differs between two records of one id, a line each."""
    for field in FIELDS:
        yield from _differs(field, getattr(before, field), getattr(after, field))
    old, new = ({q.name: q.model_dump() for q in record.quantities} for record in (before, after))
    for name in dict.fromkeys((*old, *new)):
        if name not in old or name not in new:
            yield f"tensor {name}: only {'before' if name in old else 'after'}"
            continue
        for field in old[name]:
            yield from _differs(f"tensor {name}, {field}", old[name][field], new[name][field])
    for name in dict.fromkeys((*before.figures, *after.figures)):
        yield from _differs(f"figure {name}", before.figures.get(name), after.figures.get(name))


def _differs(what: str, a: Any, b: Any) -> Iterator[str]:
    if a != b:
        yield f"{what}: {str(a)[:150]} -> {str(b)[:150]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--both", action="store_true", help="compare what both have, whatever else either has")
    args = parser.parse_args()
    before, after = records(args.before), records(args.after)
    shared = {name: None for name in before if name in after}
    alone = [] if args.both else [f"{n}: only {'before' if n in before else 'after'}" for n in dict.fromkeys((*before, *after)) if n not in shared]
    lines = alone + [f"{name}: {line}" for name in shared for line in differences(before[name], after[name])]
    tensors = sum(len(before[name].quantities) for name in shared)
    digests = sum(bool(q.digest) for name in shared for q in before[name].quantities)
    print(f"{len(before)} records before, {len(after)} after; {len(shared)} compared with {tensors} tensors, of {digests} every bit; ", end="")
    print(f"{len(lines)} differences")
    for line in lines[:SHOWN]:
        print(f"  {line}")
    return 1 if lines or not shared else 0


if __name__ == "__main__":
    raise SystemExit(main())
