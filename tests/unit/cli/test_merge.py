"""`mpcheck merge`: what it writes, and what it refuses."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from mpcheck.cli.main import main
from mpcheck.records.document import JudgedSystem, Records, read_records, write_records
from mpcheck.records.read import read_results
from mpcheck.records.shards import ROWS, SHARD
from tests.unit.records.parts import CELLS, changed, found_rows, parts_of


def write(directory: Path, parts: list[tuple[Path, Records]]) -> list[str]:
    for number, (_, document) in enumerate(parts):
        write_records(directory / str(number) / "precision.json", document)
    return [str(directory / str(number)) for number in range(len(parts))]


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    places = write(tmp_path, parts_of(2))
    write_records(tmp_path / "0" / "audit.json", found_rows("audit", 1)[1][0][1])
    out = tmp_path / "out"
    assert main(["merge", *places, "--out", str(out)]) == 0
    told = capfd.readouterr().out
    assert "precision: PASS, 12 judged, from 2 files" in told
    assert [c.id for c in read_records(out / "precision.json").of("precision")] == [c.id for c in CELLS]
    assert SHARD not in read_records(out / "audit.json").options
    assert (out / "precision.md").read_text().startswith("# mpcheck precision: PASS")
    assert {p.name for p in out.iterdir()} == {"precision.json", "precision.md", "precision.svg", "audit.json", "audit.md"}
    assert read_results([out]).items


@pytest.mark.parametrize(("verdict", "code"), [("fail", 1), ("unsupported", 2), ("pass", 0)])
def test_it_exits_as_the_session_would(verdict: str, code: int, tmp_path: Path) -> None:
    parts = [
        (p, d.model_copy(update={"records": [c.model_copy(update={"verdict": verdict}) for c in d.records if c.check == "precision"]}))
        for p, d in parts_of(2)
    ]
    parts = [(p, d.model_copy(update={"plan": [planned for planned in d.plan if not planned.key.startswith("golden/")]})) for p, d in parts]
    parts = [(p, changed(d, "options", shard_rows={"records": [t for t in d.options[ROWS]["records"] if not t.startswith("0-")]})) for p, d in parts]
    assert main(["merge", *write(tmp_path, parts), "--out", str(tmp_path / "out")]) == code


def test_nothing_is_written_where_something_is_wrong(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    places = write(tmp_path, parts_of(3))
    broken = copy.deepcopy(json.loads((tmp_path / "2" / "precision.json").read_text())) | {"schema_version": 9}
    (tmp_path / "2" / "precision.json").write_text(json.dumps(broken))
    for given, words in ((places[:2], "part 3/3 is missing"), (places, "schema_version is 9"), ([str(tmp_path / "none")], "none")):
        assert main(["merge", *given, "--out", str(tmp_path / "out")]) == 2
        assert words in capfd.readouterr().err
        assert not (tmp_path / "out").exists()


def test_records_that_do_not_say_how_large_a_system_is(tmp_path: Path) -> None:
    parts = [(p, d.model_copy(update={"systems": [JudgedSystem(name="builtin:water")]})) for p, d in parts_of(2)]
    assert main(["merge", *write(tmp_path, parts), "--out", str(tmp_path / "out")]) == 0
    assert "builtin:&#8203;water: of unknown size" in (tmp_path / "out" / "precision.md").read_text()


def test_a_part_is_not_overwritten(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    places = write(tmp_path, parts_of(2))
    before = (tmp_path / "0" / "precision.json").read_bytes()
    assert main(["merge", *places, "--out", places[0]]) == 2
    assert "would be overwritten" in capfd.readouterr().err
    assert (tmp_path / "0" / "precision.json").read_bytes() == before
