"""What goes is what was asked for, whole and of the cache's own; what somebody uses stays."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mpcheck._files.locks import locked
from mpcheck.reference import pruning
from mpcheck.reference.kept import kept
from mpcheck.reference.layout import USE
from mpcheck.reference.pruning import Pruned, Wish, prune
from mpcheck.reference.store import Store
from tests.unit.cache_samples import NOW, fill, key, listing


def pruned(root: Path, wish: Wish, dry: bool = False) -> Pruned:
    return prune(root, kept(root), wish, NOW, dry)


def gone(done: Pruned) -> list[int]:
    return [int(one.path.name, 16) for one in done.gone]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Keys 1, 2, 3, 4 of 1, 2, 3, 4 kB, unused for 10, 30, 50 and 0 days, one of them a gate's; 5 is of another schema."""
    for number, days, place in ((1, 10, "v3"), (2, 30, "v3"), (3, 50, f"gate/{key(9)}/v3"), (4, 0, "v3"), (5, 0, "v2")):
        fill(tmp_path / "cache", f"{place}/{key(number)}", 1000 * number, days)
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (Wish(), [5]),
        (Wish(days=30), [5, 3, 2]),
        (Wish(days=30.001), [5, 3]),
        (Wish(days=0), [5, 3, 2, 1, 4]),
        (Wish(everything=True), [5, 3, 2, 1, 4]),
        (Wish(size=15_000), [5]),
        (Wish(size=10_000), [5]),
        (Wish(size=9_999), [5, 3]),
        (Wish(size=6_000), [5, 3, 2]),
        (Wish(size=0), [5, 3, 2, 1, 4]),
        (Wish(days=40, size=6_500), [5, 3, 2]),
        (Wish(days=5, size=10_000), [5, 3, 2, 1]),
    ],
)
def test_other_schemas_first_then_what_was_used_longest_ago(root: Path, wish: Wish, expected: list[int]) -> None:
    before = listing(root)
    dry = pruned(root, wish, dry=True)
    assert gone(dry) == expected and listing(root) == before
    done = pruned(root, wish)
    assert gone(done) == expected and (done.freed, done.held) == (dry.freed, dry.held) == (1000 * sum(expected), 1000 * (15 - sum(expected)))
    left = [int(one.path.name, 16) for one in kept(root)]
    assert sorted(left) == sorted({1, 2, 3, 4, 5} - set(expected))


def test_nothing_of_a_cache_is_left_when_all_goes_but_the_cache(root: Path) -> None:
    pruned(root, Wish(everything=True))
    assert root.is_dir() and listing(root) == []


def test_what_lies_beside_keys_stays(root: Path) -> None:
    others = [root / "mine.txt", root / "v3/notes/a.json", root / "v2/README", root / f"gate/{key(9)}/b.json", root / f"{key(1)}/index.json"]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    pruned(root, Wish(everything=True))
    assert [path for path in root.rglob("*") if path.is_file()] and {path for path in root.rglob("*") if path.is_file()} == set(others)


def test_links_are_neither_followed_nor_removed(root: Path, tmp_path: Path) -> None:
    mine = fill(tmp_path / "mine", f"v3/{key(7)}", days=100)
    (root / "v3" / key(8)).symlink_to(mine)
    (root / "v1").symlink_to(mine.parent)
    (root / f"v3/{key(1)}/link.json").symlink_to(mine / "index.json")
    before = listing(mine)
    done = pruned(root, Wish(everything=True))
    assert listing(mine) == before and (root / "v3" / key(8)).is_symlink() and (root / "v1").is_symlink()
    assert [(int(one.path.name, 16), why) for one, why in done.stayed] == [(1, "holds link.json, which is not the cache's")]
    assert (root / f"v3/{key(1)}/index.json").is_file()


def test_a_key_with_anything_of_somebody_s_stays_whole(root: Path) -> None:
    (root / f"v3/{key(2)}/thesis.tex").touch()
    before = listing(root / f"v3/{key(2)}")
    done = pruned(root, Wish(days=30))
    assert gone(done) == [5, 3] and [why for _, why in done.stayed] == ["holds thesis.tex, which is not the cache's"]
    assert listing(root / f"v3/{key(2)}") == before


HOLD = """\
import sys
from pathlib import Path
from mpcheck._files.locks import locked, share
class Holder: pass
lock, way, holder = Path(sys.argv[1]), sys.argv[2], Holder()
if way == "shared":
    share(lock, holder)
    print("held", flush=True)
    sys.stdin.read()
else:
    with locked(lock, "it"):
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.fixture(params=["built", "shared"])
def busy(root: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The largest key, of which another process builds an entry, or which it just uses."""
    place = root / "v3" / key(4)
    lock = place / (USE if request.param == "shared" else "index.lock")
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(lock), request.param], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield place
    process.communicate("")


@pytest.mark.parametrize("dry", [True, False])
def test_what_another_process_uses_stays_and_goes_when_that_has_ended(root: Path, busy: Path, dry: bool) -> None:
    before = listing(busy)
    done = pruned(root, Wish(everything=True), dry)
    assert gone(done) == [5, 3, 2, 1] and done.held == sum(one.size for one in kept(root) if one.path == busy)
    assert [(one.path, why) for one, why in done.stayed] == [(busy, "another process uses it")]
    assert listing(busy) == before


def test_a_lock_that_nobody_holds_any_more_keeps_nothing(root: Path) -> None:
    with locked(root / "v3" / key(4) / "index.lock", "it"):
        assert 4 not in gone(pruned(root, Wish(everything=True)))
    assert gone(pruned(root, Wish(everything=True))) == [4]


def test_what_is_used_between_a_look_and_its_removal_stays(root: Path) -> None:
    every = kept(root)
    os.utime(root / "v3" / key(2) / "index.safetensors")
    done = prune(root, every, Wish(days=30), NOW)
    assert gone(done) == [5, 3] and [why for _, why in done.stayed] == ["it has just been used"]


def test_a_disk_that_refuses_is_told_and_the_others_go(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.parent.name == key(3):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    done = pruned(root, Wish(days=30))
    assert gone(done) == [5, 2] and [(one.path.name, why) for one, why in done.failed] == [(key(3), "Permission denied")]
    assert done.held == 8_000


def test_manifests_go_first_so_that_half_a_key_is_entries_that_are_missing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: removed.append(path.suffix))
    pruned(root, Wish(size=14_999))
    assert removed == [".json", ".safetensors", ".lock"]


VALUES = {"out": torch.arange(3.0)}


def test_an_entry_that_was_pruned_is_built_anew_by_who_has_it_open(tmp_path: Path) -> None:
    """Its process was not seen, as on a disk without locks."""
    store = Store(tmp_path, key(1))
    store.save("a", VALUES, {})
    (store.path / USE).unlink()
    assert gone(pruned(tmp_path, Wish(everything=True))) == [1] and not store.path.exists()
    built: list[int] = []

    def build() -> None:
        built.append(1)
        store.save("a", VALUES, {})

    tensors, _ = store.fetch("a", build)
    assert built == [1] and torch.equal(tensors["out"], VALUES["out"])
    store.fetch("a", lambda: pytest.fail("built twice"))


def test_what_a_store_of_this_process_uses_stays_until_it_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path, key(1))
    store.save("a", VALUES, {})
    second = Store(tmp_path, key(1))
    assert gone(pruned(tmp_path, Wish(everything=True))) == []
    del store
    assert gone(pruned(tmp_path, Wish(everything=True))) == [], "the other one uses it still"
    del second
    assert gone(pruned(tmp_path, Wish(everything=True))) == [1]


def test_what_is_unused_for_a_month_is_old() -> None:
    assert pruning.DAYS == 30 and pruning.DAY == 24 * 3600
