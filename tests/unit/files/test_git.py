"""A repository is read, and nothing is written into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck._files.git import changed, checked_out, commit_of, top_of
from tests.gate.adopter import git


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits: one without files, and one with a file and a link to it."""
    where = tmp_path_factory.mktemp("repository")
    git(where, "init", "--quiet", "-b", "main")
    git(where, "commit", "--quiet", "--allow-empty", "-m", "empty")
    (where / "sub").mkdir()
    (where / "sub" / "a").write_text("one\n")
    (where / "link").symlink_to("sub/a")
    git(where, "add", ".")
    git(where, "commit", "--quiet", "-m", "files")
    return where


def test_a_commit_by_its_names(repository: Path) -> None:
    full = git(repository, "rev-parse", "main")
    assert commit_of("main", repository) == commit_of(full[:8], repository) == commit_of("HEAD", repository / "sub") == full
    for name in ("nothing", "--help", "HEAD:sub", ""):
        assert commit_of(name, repository) is None, name


def test_the_top_of_what_is_in_none(repository: Path, tmp_path: Path) -> None:
    assert top_of(repository / "sub") == repository.resolve() and top_of(tmp_path) is None


def test_files_of_a_commit_are_there_while_the_block_lasts(repository: Path) -> None:
    before = git(repository, "status", "--porcelain", "--ignored"), sorted(path.name for path in (repository / ".git").iterdir())
    with checked_out(git(repository, "rev-parse", "main"), repository) as tree:
        assert (tree / "sub" / "a").read_text() == "one\n" and (tree / "link").readlink() == Path("sub/a")
        (tree / "sub" / "a").write_text("two\n")
    assert not tree.exists() and (repository / "sub" / "a").read_text() == "one\n"
    with checked_out(git(repository, "rev-parse", "main~1"), repository) as tree:
        assert list(tree.iterdir()) == []
    assert (git(repository, "status", "--porcelain", "--ignored"), sorted(path.name for path in (repository / ".git").iterdir())) == before


def test_what_git_cannot_check_out_is_told(repository: Path) -> None:
    with pytest.raises(InputError, match=f"commit {'0' * 12}: git cannot check it out: fatal: "), checked_out("0" * 40, repository):
        pass


def test_a_file_that_git_does_not_know_is_a_change(repository: Path) -> None:
    assert not changed("main", repository) and changed("main~1", repository)
    (repository / "new").touch()
    assert changed("main", repository)
    (repository / "new").unlink()
