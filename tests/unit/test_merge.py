"""Parts of a session become what one machine would have written; what does not belong together is refused and named."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.cli.main import main
from mpcheck.records.document import Records, System, read_records, write_records
from mpcheck.records.merge import merge
from mpcheck.records.read import read_results
from mpcheck.records.shards import ROWS, SHARD, by_first_seen, divide, runs
from tests.unit.accounts import accounted
from tests.unit.record_samples import cell, finding, findings, run

CELLS = accounted(cell(block, variant=d) for block in ("a", "b", "c", "d", "e") for d in ("forward", "backward"))
GOLDEN = [{"system": "builtin:water", "name": f"{n}:out", "rms": 0.0, "max": 0.0, "limit": 2.0, "failure": ""} for n in ("a", "b")]

CHECKS = {"audit": ("engagement", "dtypes"), "bench": ("latency", "cost")}


def parts_of(of: int) -> list[tuple[Path, Records]]:
    """A precision session as that many machines would write it: golden values are tests 0, cells the next."""
    numbers = divide([None, *(c.subject for c in CELLS)], of)[1:]
    made = []
    for number in range(1, of + 1):
        own = [(place + 1, c) for place, c in enumerate(CELLS) if numbers[place] == number]
        golden = GOLDEN if number == 1 else []
        rows = {"records": runs([*(p for p, _ in own), *(0 for _ in golden)])}
        options = {SHARD: f"{number}/{of}", ROWS: rows, "cache": f"/cache{number}"}
        env = {"date": f"2026-01-0{number}T00:00:00+00:00"}
        made.append((Path(f"part{number}.json"), run(*(c for _, c in own), golden=golden, options=options, env=env, seconds=2.0)))
    return made


def found_rows(suite: Any, of: int) -> tuple[list[Any], list[tuple[Path, Records]]]:
    """Findings of tests with one, two or no finding of two checks each, whole and in parts."""
    tests = [[finding(f"{n}{i}", check=check) for i, check in enumerate(CHECKS[suite][: n % 3])] for n in range(9)]
    numbers = divide([str(n) for n in range(9)], of)
    made = []
    for number in range(1, of + 1):
        placed = by_first_seen([(n, f) for n, own in enumerate(tests) if numbers[n] == number for f in own], lambda e: e[1].check)
        options = {SHARD: f"{number}/{of}", ROWS: {"records": runs(n for n, _ in placed)}}
        made.append((Path(f"{number}.json"), findings(suite, *(f for _, f in placed), options=options)))
    return accounted(by_first_seen([f for own in tests for f in own], lambda f: f.check)), made


@pytest.mark.parametrize("of", [1, 2, 3, 5])
def test_parts_are_the_whole(of: int) -> None:
    parts = parts_of(of)
    whole = run(*CELLS, golden=GOLDEN, options={"cache": "/cache1"}, env={"date": "2026-01-01T00:00:00+00:00"}, seconds=2.0 * of)
    whole = whole.model_copy(  # golden values are tests 0
        update={"plan": [*whole.plan[-1:], *whole.plan[:-1]], "records": [*whole.of("golden"), *whole.of("precision")]}
    )
    for given in (parts, parts[::-1]):
        assert merge(given) == whole


@pytest.mark.parametrize("of", [1, 2, 4])
@pytest.mark.parametrize("suite", ["audit", "bench"])
def test_findings_come_in_the_order_of_the_session(suite: str, of: int) -> None:
    whole, parts = found_rows(suite, of)
    merged = merge(parts[::-1])
    assert merged.records == whole


def test_a_whole_session_is_left_as_it_is() -> None:
    document = run(*CELLS)
    assert merge([(Path("a.json"), document)]) is document


def test_records_that_no_shard_made_are_joined_where_they_agree() -> None:
    """Two whole sessions with the same options are one, unless they disagree."""
    merged = merge([(Path("a.json"), run(*CELLS[:2])), (Path("b.json"), run(*CELLS[1:]))])
    assert merged.records == CELLS
    with pytest.raises(InputError, match=r"a.json and b.json disagree"):
        merge([(Path("a.json"), run(*CELLS)), (Path("b.json"), run(CELLS[0].model_copy(update={"verdict": "fail"})))])


def changed(document: Records, where: str, **changes: Any) -> Records:
    old = getattr(document, where)
    return document.model_copy(update={where: {**old, **changes} if isinstance(old, dict) else old.model_copy(update=changes)})


REFUSED: dict[str, tuple[Any, str]] = {
    "missing": (lambda p: [p[0], p[2]], r"part 2/3 is missing beside part1.json, part3.json"),
    "only one": (lambda p: p[:1], r"part 2/3, 3/3 is missing"),
    "twice": (lambda p: [*p, (Path("again.json"), p[1][1])], r"part 2/3 is there twice: part2.json and again.json"),
    "another division": (lambda p: [p[0], parts_of(2)[1]], r"part 1/3 and part2.json is part 2/2"),
    "a whole one": (lambda p: [*p, (Path("whole.json"), run(*CELLS))], r"whole.json is a whole precision session"),
    "model": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "model", name="big", digest="e" * 64))], r"part3.json .* model is m and big"),
    "weights": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "model", digest="e" * 64))], r"model is m \(d{12}\) and m \(e{12}\)"),
    "device": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "environment", device_slug="cuda"))], r"device_slug is cpu-test-avx2 and cuda"),
    "packages": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "environment", packages={"torch": "9"}))], r"packages is .* and .*9"),
    "flags": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "environment", flags={"tf32": True}))], r"flags is"),
    "commit": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "environment", commit="fff"))], r"commit is abc123 and fff"),
    "seed": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "options", seed=5))], r"option seed is 0 and 5"),
    "options": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "options", formats=["float16"]))], r"option formats is None and"),
    "version": (lambda p: [*p[:2], (p[2][0], p[2][1].model_copy(update={"mpcheck": "9"}))], r"mpcheck is 0.1.0 and 9"),
    "structures": (lambda p: [*p[:2], (p[2][0], p[2][1].model_copy(update={"systems": [System(name="builtin:water", digest="x")]}))], r"systems is"),
    "no part": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "options", shard="4/3"))], r"part3.json: field options.shard '4/3'"),
    "no text": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "options", shard=[1, 3]))], r"field options.shard '\[1, 3\]'"),
    "too many rows": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "options", shard_rows={"records": ["0-999999999:9"]}))], r"the places of"),
    "no rows": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "options", shard_rows={"records": "0-1"}))], r"shard_rows.records"),
    "rows of nothing": (lambda p: [*p[:2], (p[2][0], changed(p[2][1], "options", shard_rows=[1]))], r"shard_rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_session_is_refused(name: str) -> None:
    choose, words = REFUSED[name]
    with pytest.raises(InputError, match=words) as refusal:
        merge(choose(parts_of(3)))
    assert "\n" not in str(refusal.value)


def test_rows_in_two_parts_must_agree() -> None:
    first, second = parts_of(2)
    shared = first[1].records[0]

    def with_row(row: Any) -> list[tuple[Path, Records]]:
        options = {k: v for k, v in second[1].options.items() if k != ROWS}
        return [first, (second[0], second[1].model_copy(update={"records": [*second[1].records, row], "options": options}))]

    merged = merge(with_row(shared.model_copy(update={"seconds": 9.0})))
    assert sorted(c.id for c in merged.of("precision")) == sorted(c.id for c in CELLS)
    with pytest.raises(InputError, match=r"part1.json and part2.json disagree about .*: pass at 0.6 and fail at 0.6"):
        merge(with_row(shared.model_copy(update={"verdict": "fail"})))


def test_many_missing_parts_are_counted() -> None:
    document = changed(parts_of(2)[0][1], "options", shard="1/999999")
    with pytest.raises(InputError, match=r"9/999999 and 999990 more is missing"):
        merge([(Path("a.json"), document)])


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
    parts = [(p, d.model_copy(update={"systems": [System(name="builtin:water")]})) for p, d in parts_of(2)]
    assert main(["merge", *write(tmp_path, parts), "--out", str(tmp_path / "out")]) == 0
    assert "builtin:water: ? atoms in ? graphs" in (tmp_path / "out" / "precision.md").read_text()


def test_a_part_is_not_overwritten(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    places = write(tmp_path, parts_of(2))
    before = (tmp_path / "0" / "precision.json").read_bytes()
    assert main(["merge", *places, "--out", places[0]]) == 2
    assert "would be overwritten" in capfd.readouterr().err
    assert (tmp_path / "0" / "precision.json").read_bytes() == before
