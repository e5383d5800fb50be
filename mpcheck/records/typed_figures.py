"""Figures of one kind of measurement: every name has a type."""

from __future__ import annotations

from typing import Any

from mpcheck._files.yaml import Strict


class TypedFigures(Strict):
    """What figures of every kind have."""

    @property
    def figures(self) -> dict[str, Any]:
        """Figures by name, those that there are."""
        return {name: value for name, value in self if value is not None and name != "kind"}
