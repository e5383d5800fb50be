"""Changed versions in words."""

from __future__ import annotations

from mpcheck.records.versions import changed_versions


def test_changed_added_and_removed_packages_are_named_and_equal_ones_are_not() -> None:
    before, after = {"torch": "2.13.0", "e3nn": "0.4.4", "old": "1"}, {"torch": "2.14.0", "e3nn": "0.4.4", "new": "2"}
    assert changed_versions(before, after) == ["new none -> 2", "old 1 -> none", "torch 2.13.0 -> 2.14.0"]
    assert changed_versions(before, before) == []
