"""Base is a commit's files, head the working tree's; both are what is really imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.gate.trees import trees
from tests.gate.adopter import git


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("nonsense", r"base nonsense: .* has no such commit; fetch it"),
        ("--help", r"base --help: .* has no such commit"),
        ("HEAD:pkg", "has no such commit"),
    ],
)
def test_an_unknown_base(base: str, expected: str, repository: Path) -> None:
    with pytest.raises(InputError, match=expected), trees(repository, base):
        pass


def test_nothing_to_compare(repository: Path) -> None:
    git(repository, "commit", "--quiet", "-am", "two")
    with pytest.raises(InputError, match="base HEAD: head has the very same files"), trees(repository, "HEAD"):
        pass
    (repository / "more.py").touch()
    with trees(repository, "HEAD") as (base, _):
        assert base is not None


def test_without_git_or_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPCHECK_COMMIT", raising=False)
    with pytest.raises(InputError, match="is no git repository, so that no base can be taken"), trees(tmp_path, "main"):
        pass
    with pytest.raises(InputError, match="is no directory"), trees(tmp_path / "gone", ""):
        pass
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="needs git, which is not on PATH"), trees(tmp_path, "main"):
        pass
    with trees(tmp_path, "") as (base, head):
        assert base is None and head.commit == ""


def test_a_directory_that_base_has_not(repository: Path) -> None:
    (repository / "sub").mkdir()
    with pytest.raises(InputError, match="directory sub does not exist in that commit"), trees(repository / "sub", "main"):
        pass
