"""How terminals colour verdicts."""

from __future__ import annotations

STYLES: dict[str, str] = {
    "pass": "green", "fail": "bold red", "degraded": "yellow", "unsupported": "dim", "indistinguishable": "dim", "inconclusive": "yellow",
    "known-fault": "magenta", "no-baseline": "yellow", "removed": "yellow",
}  # fmt: skip
