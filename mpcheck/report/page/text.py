"""How much of a name the report shows."""

from __future__ import annotations

NAME = 120
"""Characters of a name that are shown."""
