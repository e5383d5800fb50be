"""What was raised, as a finding."""

from __future__ import annotations

from typing import Any

from mpcheck._raised import Raised
from mpcheck.findings import Finding


def raised(base: dict[str, Any], error: Raised) -> Finding:
    """What a block or model that raised is: unsupported where an operation does not exist in the type, else a failure.

    Args:
        base: names of the finding.
    """
    if error.missing:
        return Finding(**base, verdict="unsupported", reason=error.line)
    return Finding(**base, verdict="fail", reason=f"raised {error.text}")
