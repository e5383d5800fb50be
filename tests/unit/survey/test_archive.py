"""The archive: bounded, what matters first, and nothing of anybody's that leads elsewhere."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.survey.archive import LEFT_OUT, RESERVE, members, safe, unpack, write_archive


def test_what_matters_is_kept_and_the_rest_is_named(tmp_path: Path) -> None:
    sizes = {
        "parts/a/out/trace.json.gz": 300_000,
        "parts/a/out/precision.json": 1000,
        "parts/a/log.txt": 5 << 20,
        "parts/a/out/baselines/d/x.json": 900,
    }
    files = {}
    for i, (name, size) in enumerate(sizes.items()):
        files[name] = tmp_path / str(i)
        files[name].write_bytes(os.urandom(size) if name.endswith(".gz") else b"line\n" * (size // 5))
    files["parts/a/log.txt"] = files["parts/a/log.txt"].rename(tmp_path / "log.txt")
    files["gone"] = tmp_path / "gone"
    target, limit = tmp_path / "made.zip", 250_000 + RESERVE
    assert write_archive(target, files, {"state.json": "{}"}, limit) == ["parts/a/out/trace.json.gz"]
    assert target.stat().st_size <= limit
    held = dict(members(target))
    assert set(held) == {"state.json", "parts/a/out/precision.json", "parts/a/log.txt", "parts/a/out/baselines/d/x.json", LEFT_OUT}
    assert b"left out" in held["parts/a/log.txt"] and len(held["parts/a/log.txt"]) < 3 << 20
    assert b"trace" in held[LEFT_OUT]
    unpack(target, tmp_path / "there", ["parts/a/out/"])
    assert sorted(p.name for p in (tmp_path / "there").rglob("*") if p.is_file()) == ["precision.json", "x.json"]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a\\b", "C:x", ""])
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    assert not safe(name) and safe("parts/a/out/x.json")
    if name:
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo(name), "x")
        with pytest.raises(InputError, match=r"x\.zip.*name of a survey's file"):
            unpack(tmp_path / "x.zip", tmp_path / "there")
        assert not (tmp_path / "there").exists()


def test_a_damaged_a_foreign_and_a_huge_one_are_refused_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.zip"
    with pytest.raises(InputError, match="does not exist"):
        list(members(path))
    path.write_text("no archive")
    with pytest.raises(InputError, match=r"x\.zip cannot be read"):
        list(members(path))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("parts/a.txt", bytes(range(256)) * 400)
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"x\.zip"):
        list(members(path))
    write_archive(path, {}, {"a": "x" * 1000})
    with pytest.raises(InputError, match="more than any survey's"):
        list(members(path, limit=10))
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a directory"):
        list(members(tmp_path / "folder"))
