"""Versions of packages that changed between two runs, in words."""

from __future__ import annotations

from collections.abc import Mapping


def changed_versions(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """``torch 2.13.0 -> 2.14.0`` of every package whose version is another; ``none`` where it is not there."""
    names = sorted({*before, *after})
    return [f"{n} {before.get(n, 'none')} -> {after.get(n, 'none')}" for n in names if before.get(n) != after.get(n)]
