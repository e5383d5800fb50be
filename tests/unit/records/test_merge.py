"""Parts of a session become what one machine would have written; what does not belong together is refused and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.records.document import JudgedSystem, Records
from mpcheck.records.merge import merge
from mpcheck.records.shards import ROWS
from tests.unit.record_samples import run
from tests.unit.records.parts import CELLS, GOLDEN, changed, found_rows, parts_of


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


OTHER = JudgedSystem(name="builtin:water", digest="x")
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
    "structures": (
        lambda p: [*p[:2], (p[2][0], p[2][1].model_copy(update={"systems": [OTHER]}))],
        r"systems is",
    ),
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
