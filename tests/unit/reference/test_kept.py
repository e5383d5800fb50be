"""What a cache holds is measured as it lies there, and nothing is taken for the cache's that is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.reference import capture
from mpcheck.reference.kept import INDEX, kept, measured, told
from tests.unit.cache_samples import CODE, DAY, NOW, fill, key


def test_keys_of_every_schema_and_of_gates_largest_first(tmp_path: Path) -> None:
    fill(tmp_path, f"v3/{key(1)}", 1000, days=2, entries=3)
    fill(tmp_path, f"v2/{key(2)}", 3000, schema=2)
    fill(tmp_path, f"gate/{key(3)}/v3/{key(4)}", 2000, days=40)
    found = kept(tmp_path)
    assert [(one.name, one.schema, one.size, one.entries) for one in found] == [
        (f"v2/{key(2)}", 2, 3000, 1), (f"gate/{key(3)}/v3/{key(4)}", 3, 2000, 1), (f"v3/{key(1)}", 3, 1000, 3),
    ]  # fmt: skip
    assert [round((NOW - one.used) / DAY) for one in found] == [0, 40, 2]
    assert [one.foreign for one in found] == ["", "", ""]
    assert [lock.name for lock in found[0].locks] == ["index.lock"]


def test_use_of_one_entry_is_use_of_its_key_and_a_lock_is_none(tmp_path: Path) -> None:
    place = fill(tmp_path, f"v3/{key(1)}", days=50, entries=2)
    os.utime(place / "index.lock")  # whoever looks whether it is free opens it
    assert NOW - kept(tmp_path)[0].used == pytest.approx(50 * DAY, abs=1)
    os.utime(place / "0.reference.safetensors", (NOW, NOW))
    assert kept(tmp_path)[0].used == pytest.approx(NOW, abs=1)


def test_no_cache_yet_an_emptied_one_and_one_whose_key_is_empty(tmp_path: Path) -> None:
    assert kept(tmp_path / "missing") == [] and kept(tmp_path) == []
    (tmp_path / "v3").mkdir()
    assert kept(tmp_path) == []
    (tmp_path / "v3" / key(1)).mkdir()
    (one,) = kept(tmp_path)
    assert (one.size, one.entries, one.foreign, told(one).what) == (0, 0, "", "no entry")


@pytest.mark.parametrize("names", [["file.txt"], ["v3/notes/a.json"], ["v1/main.go"], [f"{key(1)}/index.json"], ["gate/other/x"], ["v3x/" + key(1)]])
def test_what_is_no_cache_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=rf"{tmp_path} is no cache of references: it holds {names[0].partition('/')[0]}.*--cache DIR"):
        kept(tmp_path)


def test_a_file_and_a_name_that_none_can_have_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in (tmp_path / "file", tmp_path / ("x" * 5000), tmp_path / "a\0b"):
        with pytest.raises(InputError, match=r"cache directory .* cannot be read: .*--cache DIR"):
            kept(root)


def test_the_user_s_own_link_is_followed_and_no_other(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "cache", tmp_path / "elsewhere"
    fill(root, f"v3/{key(1)}")
    fill(elsewhere, f"v3/{key(2)}")
    fill(elsewhere, f"{key(4)}/v3/{key(5)}")
    (root / "v2").symlink_to(elsewhere / "v3")
    (root / "v3" / key(3)).symlink_to(elsewhere / "v3" / key(2))
    (root / "gate").symlink_to(elsewhere)
    (tmp_path / "link").symlink_to(root)
    assert [one.name for one in kept(tmp_path / "link")] == [f"v3/{key(1)}"]


@pytest.mark.parametrize("what", ["notes.txt", "folder/", "link.json", "pipe.json", ".hidden", "a.safetensors.bak"])
def test_a_key_with_what_the_cache_has_not_made_says_so(tmp_path: Path, what: str) -> None:
    place = fill(tmp_path, f"v3/{key(1)}")
    if what.startswith("link"):
        (place / what).symlink_to(place / "index.json")
    elif what.startswith("pipe"):
        os.mkfifo(place / what)
    elif what.endswith("/"):
        (place / what).mkdir()
    else:
        (place / what).touch()
    (one,) = kept(tmp_path)
    assert one.foreign == f"holds {what.rstrip('/')}, which is not the cache's" and what.rstrip("/") not in one.files


def test_what_an_interrupted_write_and_a_holder_left_is_the_cache_s_own(tmp_path: Path) -> None:
    place = fill(tmp_path, f"v3/{key(1)}")
    for name in (".index.json.a1b2.tmp", "index.lock.holder", "use.lock"):
        (place / name).touch()
    assert kept(tmp_path)[0].foreign == ""


def test_what_a_manifest_tells(tmp_path: Path) -> None:
    fill(tmp_path, f"v3/{key(1)}", order=["a"] * 37)
    (one,) = kept(tmp_path)
    assert (told(one).what, told(one).made[:10], told(one).code, told(one).by) == ("37 blocks", "2026-01-02", CODE, ("mace 0.3.16",))
    (one.path / "index.json").rename(one.path / "whole-models.json")
    assert told(measured(one.path, tmp_path, 3)).what == "whole-models"
    assert INDEX == capture.INDEX


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": NaN}', '{"made": 1, "made": 2}', "\xff"])
def test_a_damaged_manifest_is_told_and_hides_nothing(tmp_path: Path, text: str) -> None:
    place = fill(tmp_path, f"v3/{key(1)}")
    (place / "index.json").write_bytes(text.encode("latin-1"))
    (one,) = kept(tmp_path)
    assert told(one).what == "unreadable manifest" and one.size > 500


@pytest.mark.parametrize("field", [None, 3, {"a": []}, [[1], {}], "text"])
def test_fields_of_any_kind_are_taken(tmp_path: Path, field: object) -> None:
    fill(tmp_path, f"v3/{key(1)}", order=field, made=field, code=field, by=field)
    said = told(kept(tmp_path)[0])
    assert all(isinstance(text, str) for text in (*said.by, said.what, said.made, said.code))
