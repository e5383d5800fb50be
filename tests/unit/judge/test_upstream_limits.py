"""Upstream's known limits: where they hold, and files that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.adapters.backends.design import DESIGN
from mpcheck.judge.upstream_limits import load_limits
from tests.unit.limit_samples import planted_limit

SMALL = DESIGN[0]


def test_a_limit_holds_only_for_its_versions_and_fields() -> None:
    fields = SMALL.architecture.model_dump()
    assert planted_limit().applies(fields)
    assert not planted_limit(versions="<0.3").applies(fields) and not planted_limit(package="no-such-package").applies(fields)
    assert not planted_limit(when={"correlation": [3]}).applies(fields)


def test_a_limit_of_one_backend_holds_for_no_other() -> None:
    """Converters of one package to several backends have limits of their own."""
    fields = SMALL.architecture.model_dump()
    one = planted_limit(backends=["mine"])
    assert one.applies(fields, "mine") and not one.applies(fields, "cueq") and planted_limit().applies(fields, "cueq")


_ENTRY = (
    "schema_version: 1\nlimits:\n- {{id: x, package: p, versions: '{versions}', when: {{a: [1]}}, message: '{message}', "
    "reason: 'twenty characters at least'}}\n"
)


def test_every_known_limit_is_tried_by_a_configuration() -> None:
    """Else an entry that no longer applies would go unnoticed."""
    for limit in load_limits():
        fields = [c.architecture.model_dump() for c in DESIGN]
        assert any(all(f[name] in values for name, values in limit.when.items()) for f in fields), limit.id


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema_version: 2\nlimits: []\n", "schema_version"),
        ("schema_version: 1\nlimits: [{id: x}]\n", "limits.0"),
        (
            _ENTRY.format(versions="new", message="abcde"),
            "version specifier",
        ),
        (
            _ENTRY.format(versions=">1", message="abc(de"),
            "regular expression",
        ),
    ],
)
def test_a_broken_limits_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_limits(path)
