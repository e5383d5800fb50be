"""The cache: atomic, verified, safe for several processes, and readable where it cannot be written."""

from __future__ import annotations

import contextlib
import errno
import json
import multiprocessing
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import pytest
import torch

from mpcheck._errors import InputError
from mpcheck._files.io import atomic_path, write_text
from mpcheck.reference import store as store_module
from mpcheck.reference.store import Damaged, Store

NAME = "block.reference"
VALUES = {"value:out": torch.arange(6, dtype=torch.float64).reshape(2, 3), "half": torch.ones(3, dtype=torch.bfloat16)}
MANIFEST = {"order": ["b", "a"], "peaks": {"forward": 1.5}}


def filled(root: Path) -> Store:
    store = Store(root, "key")
    store.save(NAME, VALUES, MANIFEST)
    return store


def files(store: Store) -> tuple[Path, Path]:
    return store.path / f"{NAME}.safetensors", store.path / f"{NAME}.json"


def refuse(number: int) -> Callable[..., None]:
    def call(*args: object, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


def make_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a read-only file system does to a process, whoever runs it."""
    denied = refuse(errno.EROFS)
    monkeypatch.setattr(tempfile, "mkstemp", denied)
    monkeypatch.setattr(Path, "replace", denied)
    monkeypatch.setattr(Path, "unlink", denied)
    monkeypatch.setattr(filelock, "FileLock", denied)


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(bytes(data))


def never() -> None:
    raise AssertionError("a sound entry was built again")


def test_round_trip(tmp_path: Path) -> None:
    store = filled(tmp_path)
    tensors, manifest = store.load(NAME)
    assert set(tensors) == set(VALUES)
    assert all(torch.equal(tensors[k], v) and tensors[k].dtype == v.dtype for k, v in VALUES.items())
    assert {k: manifest[k] for k in MANIFEST} == MANIFEST
    assert list(tmp_path.rglob("*.tmp")) == []
    assert not Store(tmp_path, "other").has(NAME)


def test_views_of_one_tensor_are_stored_apart(tmp_path: Path) -> None:
    store, whole = Store(tmp_path, "key"), torch.arange(4.0)
    store.save(NAME, {"a": whole, "b": whole[1:], "t": torch.ones(2, 3).T}, {})
    tensors, _ = store.load(NAME)
    assert torch.equal(tensors["b"], whole[1:])
    assert tensors["t"].shape == (3, 2)


@pytest.mark.parametrize(("place", "step"), [(tempfile, "mkstemp"), (Path, "replace"), (store_module, "save_file")])
@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_failing_write_leaves_the_old_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: object, step: str, number: int) -> None:
    store = filled(tmp_path)
    before = [p.read_bytes() for p in files(store)]
    with monkeypatch.context() as patch:
        patch.setattr(place, step, refuse(number))
        with pytest.raises(InputError, match=rf"cannot write .*{NAME}.*{os.strerror(number)}"):
            store.save(NAME, {"value:out": torch.zeros(2)}, {})
    assert [p.read_bytes() for p in files(store)] == before
    assert list(tmp_path.rglob("*.tmp")) == []
    assert torch.equal(store.load(NAME)[0]["value:out"], VALUES["value:out"])


def test_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.json"
    write_text(target, "old")

    def interrupted() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text(encoding="utf-8") == "old"
    assert [p.name for p in target.parent.iterdir()] == ["file.json"]


def test_written_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "text")
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


@pytest.mark.parametrize("which", [0, 1], ids=["tensors", "manifest"])
@pytest.mark.parametrize("how", ["truncated", "empty", "gone", "first", "middle", "inside"])
def test_damaged_entry_is_rebuilt_with_a_warning(tmp_path: Path, which: int, how: str) -> None:
    store = filled(tmp_path)
    path = files(store)[which]
    size = path.stat().st_size
    if how == "gone":
        path.unlink()
    elif how in ("truncated", "empty"):
        os.truncate(path, size // 2 if how == "truncated" else 0)
    else:
        flip(path, {"first": 0, "middle": size // 2, "inside": path.read_bytes().rfind(b"1.5")}[how])  # a manifest's value, or the last byte
    with pytest.raises(Damaged):
        store.load(NAME)
    built = []

    def build() -> None:
        built.append(1)
        store.save(NAME, VALUES, MANIFEST)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tensors, manifest = store.fetch(NAME, build)
    messages = [str(w.message) for w in caught]
    assert built == [1]
    assert torch.equal(tensors["value:out"], VALUES["value:out"])
    assert manifest["order"] == MANIFEST["order"]
    assert len(messages) == (0 if how == "gone" else 1)  # half an entry is one whose writing was cut off: nothing to tell
    assert all(NAME in m and "damaged" in m and "\n" not in m for m in messages)
    store.fetch(NAME, never)


@pytest.mark.parametrize("schema", [None, 0, store_module.SCHEMA + 1, str(store_module.SCHEMA)])
def test_entry_of_another_schema_is_damaged(tmp_path: Path, schema: object) -> None:
    store = filled(tmp_path)
    document = files(store)[1]
    document.write_text(json.dumps({**json.loads(document.read_text(encoding="utf-8")), "schema": schema}), encoding="utf-8")
    with pytest.raises(Damaged, match="schema"):
        store.load(NAME)
    with pytest.warns(UserWarning, match=NAME):
        assert store.fetch(NAME, lambda: store.save(NAME, VALUES, MANIFEST))[1]["schema"] == store_module.SCHEMA


def test_entry_repaired_while_waiting_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, lock = filled(tmp_path), Store.lock
    flip(files(store)[0], -1)

    def late(self: Store, name: str) -> contextlib.AbstractContextManager[None]:
        monkeypatch.setattr(Store, "lock", lock)
        filled(tmp_path)  # the other process had the lock first
        return lock(self, name)

    monkeypatch.setattr(Store, "lock", late)
    with pytest.warns(UserWarning, match="damaged"):
        store.fetch(NAME, never)


def test_builder_whose_entry_cannot_be_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path, "key")
    with pytest.raises(InputError, match=f"cannot be read back.*{NAME}"):
        store.fetch(NAME, lambda: None)


def test_sound_entries_are_read_from_a_read_only_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path)
    make_read_only(monkeypatch)
    assert torch.equal(Store(tmp_path, "key").fetch(NAME, never)[0]["value:out"], VALUES["value:out"])


def test_read_only_cache_is_an_error_where_an_entry_is_missing_or_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path)
    flip(files(store)[0], -1)
    make_read_only(monkeypatch)
    with pytest.raises(InputError, match=rf"{tmp_path}.*Read-only.*--cache"):
        store.fetch("missing", never)
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(InputError, match=str(tmp_path)):
        store.fetch(NAME, never)


def test_to_read_an_entry_notes_its_use_and_not_that_it_was_made(tmp_path: Path) -> None:
    store = filled(tmp_path)
    for path in files(store):
        os.utime(path, (1e9, 1e9))
    store.load(NAME)
    tensors, manifest = (path.stat().st_mtime for path in files(store))
    assert manifest == 1e9, "by which records tell what a run has made"
    assert tensors > time.time() - 60


def test_an_entry_that_cannot_be_trusted_is_not_used(tmp_path: Path) -> None:
    store = filled(tmp_path)
    flip(files(store)[0], -1)
    os.utime(files(store)[0], (1e9, 1e9))
    with pytest.raises(Damaged):
        store.load(NAME)
    assert files(store)[0].stat().st_mtime == 1e9


def test_directory_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"cache directory .*file"):
        Store(tmp_path / "file", "key")
    monkeypatch.setattr(Path, "mkdir", refuse(errno.EROFS))
    with pytest.raises(InputError, match="Read-only"):
        Store(tmp_path / "new", "key")


def _fetch(root: str, barrier: Any) -> None:
    store = Store(Path(root), "key")

    def build() -> None:
        descriptor = os.open(Path(root) / f"built-{os.getpid()}", os.O_CREAT | os.O_EXCL)
        os.close(descriptor)
        time.sleep(0.5)  # long enough for the other process to find the entry missing
        store.save(NAME, VALUES, MANIFEST)

    barrier.wait(120)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensors, _ = store.fetch(NAME, build)
    assert torch.equal(tensors["value:out"], VALUES["value:out"])


@pytest.mark.parametrize("damaged", [False, True], ids=["missing", "damaged"])
def test_two_processes_build_an_entry_once(tmp_path: Path, damaged: bool) -> None:
    if damaged:
        flip(files(filled(tmp_path))[0], -1)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    workers = [context.Process(target=_fetch, args=(str(tmp_path), barrier)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [w.exitcode for w in workers] == [0, 0]
    assert len(list(tmp_path.glob("built-*"))) == 1
    Store(tmp_path, "key").fetch(NAME, never)


def test_an_entry_says_which_code_made_it_and_another_s_is_rebuilt(tmp_path: Path) -> None:
    Store(tmp_path, "key", "one").save("a", VALUES, {})
    assert Store(tmp_path, "key", "one").load("a")[1]["code"] == "one"
    other = Store(tmp_path, "key", "other")
    with pytest.raises(Damaged, match="made by code one, and this is the place of code other"):
        other.load("a")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        _, manifest = other.fetch("a", lambda: other.save("a", VALUES, {}))
    assert manifest["code"] == "other" and "is rebuilt" in str(told[0].message)


def test_the_code_of_an_entry_is_under_its_checksum(tmp_path: Path) -> None:
    store = Store(tmp_path, "key", "one")
    store.save("a", VALUES, {})
    path = store.path / "a.json"
    path.write_text(path.read_text().replace('"code": "one"', '"code": "two"'))
    with pytest.raises(Damaged, match="checksum"):
        Store(tmp_path, "key", "two").load("a")
