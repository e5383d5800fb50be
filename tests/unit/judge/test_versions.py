"""Version ranges of the data files about upstream."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from mpcheck.judge.versions import VersionRange, installed_within


def test_an_installed_version_counts_where_it_lies_in_the_range() -> None:
    version = installed_within("torch", ">=1")
    assert version is not None and installed_within("torch", f"=={version}") == version
    assert installed_within("torch", f"!={version}") is None
    assert installed_within("no-such-package-as-this", ">=0") is None


def test_a_pre_release_lies_in_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpcheck.judge.versions.metadata.version", lambda package: "0.4.0rc1")
    assert installed_within("mace-torch", ">=0.3") == "0.4.0rc1"
    assert installed_within("mace-torch", ">=0.4") is None, "it comes before 0.4.0"


@pytest.mark.parametrize("text", ["newer", "0.3", ">=x"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="is not a version specifier such as"):
        TypeAdapter(VersionRange).validate_python(text)
