"""What a run will cost is told before it begins, and refused where it does not fit."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.sessions.outlook import Outlook, outlook, require_cache
from mpcheck.sessions.run import Options, Session
from tests.unit import whole_runs
from tests.unit.commands import refusal

SYSTEM = "builtin:water"


def session_of(cache: Path, **more: object) -> Session:
    return Session(Options(systems=(SYSTEM,), backends=("e3nn",), formats=("float32", "bfloat16"), cache=cache, **more))  # type: ignore[arg-type]


def test_what_is_not_in_the_cache_yet_is_told_to_a_factor_of_three(tmp_path: Path) -> None:
    session = session_of(tmp_path)
    names = ["interactions.1.conv_tp", "interactions.1", "products.1", "readouts.0.linear"]
    expected = outlook(session, {SYSTEM: names}, session.formats)
    assert expected.blocks == 4
    library, before = session.library(SYSTEM), sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors"))
    began = time.process_time()
    for name in names:
        library.get(name)
    assert expected.seconds / 3 < time.process_time() - began < expected.seconds * 3
    for name in names:
        library.rounded(name, session.formats[1].storage)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors")) - before
    assert expected.size / 2 < size < expected.size * 2
    assert outlook(session, {SYSTEM: names}, session.formats) == Outlook(0, 0.0, 0.0), "they are there now"


def test_words() -> None:
    assert Outlook(1, 4.0, 1e9).text == ""
    assert Outlook(37, 95.0, 8.1e7).text == "references of 37 blocks are to be made: about 95 s and 81 MB in the cache"


def test_a_cache_without_room_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    session = session_of(tmp_path, cache_limit="10MB")
    require_cache(session, Outlook(3, 9.0, 9e6))
    with pytest.raises(InputError, match="references of 3 blocks take about 11 MB, and 10 MB are to be had; give another place with --cache DIR"):
        require_cache(session, Outlook(3, 9.0, 1.1e7))
    with pytest.raises(InputError, match=r"take about 10+ GB, and"):
        require_cache(session_of(tmp_path), Outlook(3, 9.0, 1e30))
    limited = ["--system", SYSTEM, "--block", "interactions.1*", "--cache", str(tmp_path), "--cache-limit", "1MB", "--out", str(tmp_path / "out")]
    said = refusal(capfd, "run", "builtin:hco", *limited)
    assert "cache" in said and "--block" in said and "mpcheck cache prune" in said
    assert "--cache-limit is 'much'; give a size" in refusal(capfd, "run", "builtin:hco", "--cache-limit", "much")


def test_a_run_begins_with_it(tmp_path: Path) -> None:
    site = "from mpcheck.sessions import outlook\noutlook.WORTH_TELLING = 0.0"
    status, said = whole_runs.ended("precision", tmp_path / "out", tmp_path / "cache", site=site)
    assert status == 0, said
    assert "tests; references of " in said and said.index("tests; references of ") < said.index("PASS")
    _, again = whole_runs.ended("precision", tmp_path / "out", tmp_path / "cache", site=site)
    assert "references of" not in again, "all of them are there"
