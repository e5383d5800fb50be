"""`mpcheck cache` as its users run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck._files.locks import locked
from mpcheck.cli.cache import ROWS, SHOWN, cache_app
from mpcheck.cli.main import main
from mpcheck.reference.kept import kept
from tests.unit.cache_samples import fill, key, listing
from tests.unit.commands import refusal, run
from tests.unit.hostile import TEXTS, check


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Key 1 of 3 MB unused for 40 days, 2 of 2 MB used today, 3 of another schema."""
    fill(tmp_path / "cache", f"v3/{key(1)}", 3_000_000, 40, entries=7, code="01d" * 8, made="2025-12-31T00:00:00+00:00")
    fill(tmp_path / "cache", f"v3/{key(2)}", 2_000_000, by=["mace 0.3.16 from /x/lib/python3.12/site-packages/mace", "e3nn 0.4.4 from /home/me/e3nn"])
    fill(tmp_path / "cache", f"v2/{key(3)}", 1_000_000, 3, schema=2)
    return tmp_path / "cache"


def rows(root: Path, capfd: pytest.CaptureFixture[str], *more: str) -> list[list[str]]:
    """Of the table, by words."""
    assert main(["cache", "show", "--cache", str(root), *more]) == 0
    return [line.split() for line in capfd.readouterr().out.splitlines()]


def test_show(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    title, head, *said, total, last = rows(root, capfd)
    assert " ".join(title) == f"references in {root}" and head[:3] == ["reference", "MB", "entries"]
    assert [" ".join(line) for line in said] == [
        f"v3/{key(1)} 3.0 7 40 2025-12-31 2 blocks 01d01d01d01d (earlier): mace 0.3.16",
        f"v3/{key(2)} 2.0 1 0 2026-01-02 2 blocks c0dec0dec0de (newest): mace 0.3.16, e3nn 0.4.4 from /home/me/e3nn",
        f"v2/{key(3)} 1.0 1 3 2026-01-02 2 blocks schema 2; this mpcheck reads 3",
    ]
    assert total == ["total", "6.0", "9"] and "prune" in " ".join(last)


def test_the_largest_ones_and_the_rest_summed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for number in range(ROWS + 3):
        fill(tmp_path, f"v3/{key(number)}", 100_000 * (number + 1))
    said = rows(tmp_path, capfd)
    names = [line[0] for line in said if line[0].startswith("v3/")]
    assert names == [f"v3/{key(number)}" for number in range(ROWS + 2, 2, -1)]
    assert ["3", "more", "(-v)", "0.6", "3"] in said and ["total", "12.0", str(ROWS + 3)] in said
    said = rows(tmp_path, capfd, "-v")
    assert sum(line[0].startswith("v3/") for line in said) == ROWS + 3 and not any("more" in line for line in said)


@pytest.mark.parametrize("command", ["show", "prune"])
def test_nothing_there_is_one_line(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(cache_app, command, "--cache", tmp_path / "missing").startswith(f"no references in {tmp_path / 'missing'}; --cache DIR or")
    assert not (tmp_path / "missing").exists()
    monkeypatch.setenv("MPCHECK_CACHE_DIR", str(tmp_path))
    assert run(cache_app, command).startswith(f"no references in {tmp_path};")


def test_prune_by_age_unless_told_otherwise(root: Path) -> None:
    before = listing(root)
    would = run(cache_app, "prune", "--cache", root, "--dry-run")
    assert f"would go: v2/{key(3)}, 1.0 MB, unused for 3 days would go: v3/{key(1)}, 3.0 MB, unused for 40 days" in would
    assert "would free 4.0 MB, 2 of 3 references; 2.0 MB would be left" in would and listing(root) == before
    said = run(cache_app, "prune", "--cache", root)
    assert f"removed: v3/{key(1)}" in said and "freed 4.0 MB, 2 of 3 references; 2.0 MB are left" in said
    assert [one.name for one in kept(root)] == [f"v3/{key(2)}"]
    assert "freed 0.0 MB, 0 of 1 reference; 2.0 MB are left" in run(cache_app, "prune", "--cache", root)


@pytest.mark.parametrize(
    ("words", "left"),
    [(["--older-than", "50"], [1, 2]), (["--older-than", "0"], []), (["--to-size", "5MB"], [1, 2]), (["--to-size", "4.9 MB"], [2]), (["--all"], [])],
)
def test_prune_as_told(root: Path, words: list[str], left: list[int]) -> None:
    run(cache_app, "prune", "--cache", root, *words)
    assert [one.name for one in kept(root)] == [f"v3/{key(number)}" for number in left]


def test_what_is_in_use_stays_and_a_size_that_cannot_be_kept_is_told(root: Path) -> None:
    with locked(root / "v3" / key(1) / "index.lock", "it"):
        said = run(cache_app, "prune", "--cache", root, "--to-size", "1MB")
    assert f"stays: v3/{key(1)}: another process uses it" in said and "3.0 MB stay, more than --to-size 1MB" in said
    assert [one.name for one in kept(root)] == [f"v3/{key(1)}"]


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    for number in range(SHOWN + 2):
        fill(tmp_path, f"v3/{key(number)}")
    said = run(cache_app, "prune", "--all", "--cache", tmp_path)
    assert said.count("removed: ") == SHOWN and "and 2 more freed" in said and listing(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--older-than", "-1"], "--older-than is -1; give days"),
        (["--older-than", "nan"], "--older-than is nan; give days"),
        (["--older-than", "inf"], "--older-than is inf; give days"),
        (["--older-than", "soon"], "--older-than"),
        (["--to-size", "2"], "--to-size is '2'; give a size with its unit, such as 2GB"),
        (["--to-size", "-2GB"], "--to-size is '-2GB'"),
        (["--to-size", "\x1b[2J\u202eGB"], r"--to-size is '\x1b[2J\u202eGB'"),
        (["--all", "--to-size", "2GB", "--older-than", "3"], "--all leaves nothing for --older-than and --to-size"),
    ],
)
def test_bad_input_is_one_line_and_removes_nothing(root: Path, words: list[str], told: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = listing(root)
    line = refusal(capfd, "cache", "prune", "--cache", str(root), *words)
    assert told in line and listing(root) == before
    check("refused", line)


@pytest.mark.parametrize("command", ["show", "prune"])
def test_a_directory_that_is_no_cache_is_refused(command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").touch()
    more = ["--all"] if command == "prune" else []
    assert f"{tmp_path} is no cache of references: it holds thesis.tex" in refusal(capfd, "cache", command, "--cache", str(tmp_path), *more)
    assert listing(tmp_path) == ["thesis.tex"]


def test_a_disk_that_refuses_ends_with_the_reason(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(InputError, match=rf"2 references in {root} cannot be removed \(v2/{key(3)}: Permission denied, .*do it as the user"):
        run(cache_app, "prune", "--cache", root)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_what_manifests_and_names_say_is_shown_harmlessly(text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, f"v3/{key(1)}", 100_000, made=text, code=text, by=[text, text], order=None)
    place = fill(tmp_path, f"v3/{key(2)}", 1_000)
    if "/" not in text and "\0" not in text and len(text.encode("utf-8", "surrogateescape" if "\ud800" not in text else "replace")) < 200:
        name = text.replace("\ud800", "")
        (place / name).touch()
        (place / f"{name}.json").write_text("{")
    for words in (["show"], ["show", "-v"], ["prune", "--all", "--dry-run"], ["prune", "--all"]):
        assert main(["cache", *words, "--cache", str(tmp_path)]) == 0
        out, err = capfd.readouterr()
        check(" ".join(words), out + err)


def test_to_look_imports_no_torch(root: Path) -> None:
    code = f"import sys; from mpcheck.cli.main import main; main(['cache', 'show', '--cache', {str(root)!r}]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
