"""What base made is kept whole, and nothing that lies there is replaced."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mpcheck.gate.references import DIRECTORY, kept, lent


def write(directory: Path, **files: str) -> Path:
    directory.mkdir(parents=True)
    for name, text in files.items():
        (directory / name.replace("_", ".")).write_text(text)
    return directory


def test_what_is_kept_is_lent_to_the_next_gate(tmp_path: Path) -> None:
    cache, first, second = (tmp_path / name for name in ("cache", "first", "second"))
    write(first / DIRECTORY / "code", a_safetensors="values", a_json="{}", a_lock="", a_tmp="half")
    kept(cache, first, "code")
    lent(cache, second, "code")
    assert {path.name: path.read_text() for path in (second / DIRECTORY / "code").iterdir()} == {"a.safetensors": "values", "a.json": "{}"}
    lent(cache, tmp_path / "third", "another")
    assert not (tmp_path / "third").exists(), "of another code nothing"


def test_nothing_that_is_kept_is_replaced_and_no_link_followed(tmp_path: Path) -> None:
    cache, work = tmp_path / "cache", tmp_path / "work"
    write(cache / DIRECTORY / "code", a_json="true")
    made = write(work / DIRECTORY / "code", a_json="false", b_json="true")
    (tmp_path / "secret.json").write_text("secret")
    (made / "c.json").symlink_to(tmp_path / "secret.json")
    kept(cache, work, "code")
    assert {path.name: path.read_text() for path in (cache / DIRECTORY / "code").iterdir()} == {"a.json": "true", "b.json": "true"}


def test_what_is_lent_was_used(tmp_path: Path) -> None:
    place = write(tmp_path / "cache" / DIRECTORY / "code", a_safetensors="values", a_json="{}")
    for path in place.iterdir():
        os.utime(path, (1e9, 1e9))
    lent(tmp_path / "cache", tmp_path / "work", "code")
    assert (place / "a.safetensors").stat().st_mtime > 1.5e9 and (place / "a.json").stat().st_mtime == 1e9


def test_what_is_pruned_meanwhile_is_not_lent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = write(tmp_path / "cache" / DIRECTORY / "code", a_safetensors="values", a_json="{}", b_safetensors="more", b_json="{}")
    copy = shutil.copyfileobj

    def then_pruned(*streams: object) -> None:
        copy(*streams)  # type: ignore[arg-type]
        shutil.rmtree(place, ignore_errors=True)

    monkeypatch.setattr(shutil, "copyfileobj", then_pruned)
    lent(tmp_path / "cache", tmp_path / "work", "code")
    assert [path.name for path in (tmp_path / "work" / DIRECTORY / "code").iterdir()] == ["a.safetensors"]
