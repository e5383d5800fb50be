"""`mpcheck comment`: which names its commands may hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.cli.comment import pinned_of
from tests.unit import report_samples as samples
from tests.unit.commands import PREFIX, main, refusal
from tests.unit.report_samples import store


def test_names_of_the_settings_are_vouched_for(tmp_path: Path) -> None:
    path = tmp_path / "of-main.toml"
    path.write_text('[gate]\nmodel = "our.model"\nsystems = ["a.xyz", "b.xyz"]\nbackends = ["ours"]\n')
    pinned = pinned_of(path)
    assert (pinned.models, pinned.systems, pinned.backends) == ({"our.model"}, {"a.xyz", "b.xyz"}, {"ours"})
    assert not pinned_of(None).models


def test_settings_that_are_none_end_it_before_anything_is_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store(tmp_path / "gate" / "head", samples.green())
    out = tmp_path / "comment.md"
    words = ["comment", str(tmp_path / "gate"), "--out", str(out), "--settings", str(tmp_path / "gone.toml")]
    assert "gone.toml does not exist" in refusal(capfd, *words)
    assert not out.exists()


def test_the_comment_is_written_where_it_is_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store(tmp_path / "gate" / "head", samples.red())
    out = tmp_path / "deep" / "comment.md"
    assert main(["comment", str(tmp_path / "gate"), "--out", str(out)]) == 0
    said = capfd.readouterr()
    assert said.out == f"wrote {out}\n" and PREFIX not in said.err
    assert samples.CULPRIT in out.read_text(encoding="utf-8").replace("\\", "")
