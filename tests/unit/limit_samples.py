"""A limit of upstream as its data file would hold it."""

from __future__ import annotations

from mpcheck.judge.upstream_limits import UpstreamLimit


def planted_limit(**changes: object) -> UpstreamLimit:
    """Of contractions of order two in models of one layer."""
    fields = {
        "id": "planted", "package": "mace-torch", "versions": ">=0.3", "when": {"num_interactions": [1], "correlation": [2]},
        "message": "Correlation . not supported", "reason": "an entry that a test has planted here",
    }  # fmt: skip
    return UpstreamLimit.model_validate({**fields, **changes})
