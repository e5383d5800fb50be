"""What was raised, as a finding."""

from __future__ import annotations

from typing import Any

from mpcheck._raised import Raised
from mpcheck._unsupported import Unsupported
from mpcheck.judge.refusing import refused
from mpcheck.records.record import Record


def raised(base: dict[str, Any], error: Raised) -> Record:
    """What a block or model that raised is: unsupported where an operation does not exist in the type, else a failure.

    Args:
        base: names of the finding.
    """
    if error.missing:
        return refused(base, Unsupported("no-operation", error.line))
    return Record(**base, verdict="fail", reason=f"raised {error.text}")
