"""Whether two runs' records say the same, figure by figure: times, dates and where things lie left out.

    python tools/same_records.py before/precision.json after/precision.json

Exit status 1 where they differ; the first differences are printed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LEFT_OUT = ("seconds", "key", "part", "lacking", "tolerated")
SHOWN = 20


def rows(path: Path) -> dict[str, dict[str, Any]]:
    """Records by what they are about."""
    document = json.loads(path.read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = {}
    for row in [*document.get("cells", []), *document.get("golden", []), *document.get("findings", [])]:
        names = ("check", "system", "block", "subject", "backend", "format", "direction", "variant", "name")
        name = "/".join(str(row[n]) for n in names if row.get(n))
        while name in found:
            name += "+"
        found[name] = {k: v for k, v in row.items() if k not in LEFT_OUT}
    return found


def differences(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What differs, a line each."""
    for name in [*before, *(n for n in after if n not in before)]:
        if name not in after or name not in before:
            yield f"{name}: only {'before' if name in before else 'after'}"
        elif before[name] != after[name]:
            for field in {*before[name], *after[name]}:
                a, b = before[name].get(field), after[name].get(field)
                if a != b:
                    yield f"{name}: {field}: {str(a)[:150]} -> {str(b)[:150]}"


def main() -> int:
    first, second = (rows(Path(argument)) for argument in sys.argv[1:3])
    found = list(differences(first, second))
    print(f"{len(first)} records before, {len(second)} after, {len(found)} differences")
    for line in found[:SHOWN]:
        print(f"  {line}")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
