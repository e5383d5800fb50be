"""Base against head: every kind of change is told as what it is, noise is not told, different models are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.cli.main import main
from mpcheck.history.compare import KINDS, Comparison, compare
from mpcheck.history.comparison_file import read_comparison
from mpcheck.history.movement import beyond
from mpcheck.records.document import Records, write_records
from mpcheck.records.record import Record
from mpcheck.report.compare import markdown, render
from tests.unit.record_samples import cell, finding, findings, quantity, results, run

NAME = "precision/precision:builtin:water/linear-e3nn-bfloat16-forward"


def of_cells(before: Any, after: Any) -> Comparison:
    return compare(results(run(*before)), results(run(*after)))


def told(comparison: Comparison) -> list[tuple[str, str]]:
    return [(c.kind, c.detail) for c in comparison.changes]


def test_the_same_bits_are_identical() -> None:
    found = of_cells([cell(), cell("other")], [cell(), cell("other", seconds=9.0)])
    assert (found.changes, found.identical, found.within, found.failed) == ([], 2, 0, False)


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [(0.6, 0.7, False), (0.6, 0.73, True), (0.6, 0.47, True), (0.6, 0.5, False), (0.0, 0.05, False), (0.0, 0.07, True), (1.0, None, True)],
)
def test_a_ratio_moves_beyond_noise_or_within_it(before: float, after: float | None, moved: bool) -> None:
    """By 0.15 of it and 0.03: other orders of the same sums stay below, a lost rounding does not."""
    found = of_cells([cell(quantities=[quantity(rms=before)])], [cell(quantities=[quantity(rms=after, digest="others")])])
    assert beyond(before, after) is moved
    worse = after is None or after > before
    kind = "moved" if worse else "improved"
    assert ([c.kind for c in found.changes], found.within, found.failed) == (([kind], 0, worse) if moved else ([], 1, False))


def test_neither_side_finite_has_not_moved() -> None:
    assert not beyond(None, None)


def test_the_tensor_that_moved_is_named_though_another_is_worse() -> None:
    before = cell(quantities=[quantity("out", 1.2), quantity("grad.weight", 0.2)])
    after = cell(quantities=[quantity("out", 1.2), quantity("grad.weight", 0.5, "others")])
    ((kind, detail),) = told(of_cells([before], [after]))
    assert kind == "moved"
    assert detail.startswith("grad.weight: error ÷ allowed 0.133 -> 0.333 (ratio 0.200 -> 0.500), max_abs")


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("pass", "fail", "new-failure"),
        ("unsupported", "fail", "new-failure"),
        ("fail", "pass", "fixed"),
        ("pass", "unsupported", "gone"),
        ("fail", "unsupported", "gone"),
        ("unsupported", "pass", "new"),
    ],
)
def test_verdicts_of_cells(before: str, after: str, kind: str) -> None:
    found = of_cells([cell(verdict=before)], [cell(verdict=after, reason="because")])
    assert [c.kind for c in found.changes] == [kind]
    assert f"{before} -> {after}: because" in found.changes[0].detail
    assert found.failed is (kind in ("new-failure", "gone"))


def test_cells_and_tensors_that_only_one_side_has() -> None:
    both = cell()
    found = of_cells([both, cell("old")], [both, cell("young"), cell("broken", verdict="fail")])
    assert [(c.kind, c.item) for c in found.changes] == [
        ("new-failure", NAME.replace("linear", "broken")), ("gone", NAME.replace("linear", "old")), ("new", NAME.replace("linear", "young"))
    ]  # fmt: skip
    two = cell(quantities=[quantity(), quantity("grad.weight")])
    assert told(of_cells([two], [both])) == [("gone", "judged no longer: grad.weight")]
    assert told(of_cells([both], [two])) == [("new", "judged now: grad.weight")]


def test_red_in_both_is_counted_and_not_new() -> None:
    found = of_cells([cell(verdict="fail")], [cell(verdict="fail")])
    assert (found.changes, found.still, found.failed) == ([], [NAME], False)


def test_golden_values() -> None:
    row = {"system": "builtin:water", "name": "linear:out", "rms": 0.0, "max": 0.0, "limit": 2.0, "failure": ""}
    for other, kind in (({"rms": 0.5}, "moved"), ({"rms": 9.0, "failure": "differs"}, "new-failure")):
        found = compare(results(run(cell(), golden=[row])), results(run(cell(), golden=[row | other])))
        assert [(c.kind, c.after.check) for c in found.changes if c.after] == [(kind, "golden")]


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ({}, {"ratio": 0.9}, "finding"),
        ({}, {"ratio": 0.52}, None),
        ({}, {"verdict": "known-fault"}, "finding"),
        ({"verdict": "known-fault"}, {}, "finding"),
        ({}, {"verdict": "inconclusive"}, "finding"),
        ({}, {"verdict": "fail", "ratio": 9.0}, "new-failure"),
        ({"verdict": "fail"}, {}, "fixed"),
    ],
)
@pytest.mark.parametrize(("session", "check"), [("symmetry", "equivariance"), ("audit", "accumulation")])
def test_findings_of_symmetry_and_audit(session: str, check: str, before: dict[str, Any], after: dict[str, Any], kind: str | None) -> None:
    base, head = (results(findings(session, finding(check=check, **changes))) for changes in (before, after))
    found = compare(base, head)
    assert [c.kind for c in found.changes] == ([kind] if kind else [])
    assert found.failed is (kind == "new-failure")


def latency(verdict: str = "pass", decision: str | None = None, median: float = 1.0, spread: float | None = 1.0, **changes: Any) -> Record:
    metrics: dict[str, Any] = {"median_ms": median, "spread_percent": spread} | ({"decision": decision} if decision else {})
    return finding(check="latency", system="builtin:water*1", verdict=verdict, ratio=None, limit=None, figures=metrics, **changes)


@pytest.mark.parametrize(
    ("before", "after", "kind", "words"),
    [
        (latency(decision="same"), latency(decision="faster", reason="faster: -9 %"), "latency", "faster: -9 %"),
        (latency(decision="same"), latency("inconclusive", "slower", reason="this machine may not gate"), "latency", "may not gate"),
        (latency(decision="same"), latency("fail", "slower", reason="slower: +9 %"), "new-failure", "pass -> fail: slower: +9 %"),
        (latency(decision="same"), latency(decision="same", median=1.5), None, ""),
        (latency(decision="same"), latency("inconclusive", "inconclusive", median=1.5), None, ""),
        (latency("no-baseline"), latency("no-baseline", median=1.2), "latency", "not judged: +20.0 % (spread 1.4 %)"),
        (latency("no-baseline"), latency("no-baseline", median=1.02), None, ""),
        (latency("no-baseline", spread=9.0), latency("no-baseline", median=1.2, spread=9.0), None, ""),
        (latency("no-baseline", spread=None), latency("no-baseline", median=1.2), None, ""),
        (latency(decision="same"), latency("removed"), "gone", "pass -> removed"),
    ],
)
def test_latency_is_what_the_session_called(before: Record, after: Record, kind: str | None, words: str) -> None:
    found = compare(results(findings("bench", before)), results(findings("bench", after)))
    assert [c.kind for c in found.changes] == ([kind] if kind else [])
    assert all(words in c.detail for c in found.changes)


def test_counts_of_cost_are_exact() -> None:
    def cost(casts: int) -> Record:
        return finding(check="cost", verdict="no-baseline", ratio=None, figures={"casts": float(casts), "launches": 7.0})

    assert told(compare(results(findings("bench", cost(4))), results(findings("bench", cost(5))))) == [("latency", "casts 4 -> 5")]

    def memory(held: int) -> Record:
        return finding(check="cost", verdict="no-baseline", ratio=None, figures={"peak_bytes": float(held), "multiply_adds": held / 2})

    (line,) = told(compare(results(findings("bench", memory(9465574))), results(findings("bench", memory(9474022)))))
    assert line == ("latency", "multiply adds 4,732,787 -> 4,737,011, peak bytes 9,465,574 B -> 9,474,022 B")


def test_a_bench_session_that_only_the_head_has_speaks_for_itself() -> None:
    """It measured base against head."""
    rows = [latency("fail", "slower", subject="a"), latency(decision="faster", subject="b"), latency(decision="same", subject="c")]
    found = compare(results(run(cell())), results(run(cell()), findings("bench", *rows)))
    assert [(c.kind, c.after.subject) for c in found.changes if c.after] == [("new-failure", "a"), ("latency", "b")]
    assert found.failed


def test_the_worst_comes_first() -> None:
    names = ("fine", "fixed", "moved", "lost")
    before = [cell(n, verdict="fail" if n == "fixed" else "pass") for n in (*names, "broken")]
    after = [
        cell("fine"), cell("fixed"), cell("moved", [quantity(rms=1.4, digest="x")]), cell("broken", verdict="fail"), cell("young"),
    ]  # fmt: skip
    audits = findings("audit", finding(check="physics")), findings("audit", finding(check="physics", verdict="known-fault"))
    found = compare(results(run(*before), audits[0]), results(run(*after), audits[1]))
    kinds = [c.kind for c in found.changes]
    assert kinds == ["new-failure", "fixed", "moved", "finding", "gone", "new"]
    assert kinds == sorted(kinds, key=KINDS.index)
    assert [line.split("  ")[0] for line in render(found, 2).splitlines()[-3:]] == ["new failure", "fixed", "… and 4 more (--limit)"]


def test_different_models_are_refused_and_named() -> None:
    other = run(cell(), model={"name": "large", "digest": "e" * 64})
    with pytest.raises(InputError, match=r"m \(dddddddddddd\) and large \(eeeeeeeeeeee\)"):
        compare(results(run(cell())), results(other))


def test_how_the_runs_differ_is_said() -> None:
    head = run(
        cell(), options={"seed": 3, "cache": "/elsewhere"}, systems=[{"name": "builtin:water", "digest": "other"}],
        env={"device_slug": "cuda-x", "device_name": "X", "packages": {"torch": "2.14.0", "e3nn": "0.5"}, "commit": "def"},
    )  # fmt: skip
    found = compare(results(run(cell()), findings("audit", finding(check="physics"))), results(head))
    assert found.notes == [
        "different devices: Test CPU and X",
        "versions: e3nn none -> 0.5, torch 2.13.0 -> 2.14.0",
        "precision: option seed: 0 -> 3",
        "precision: builtin:water is another structure in the head",
        "audit: only the base has it",
    ]
    assert found.head == "reports/precision.json (commit def)"


def test_no_session_in_common_is_refused() -> None:
    with pytest.raises(InputError, match="no session in common: precision and audit"):
        compare(results(run(cell())), results(findings("audit", finding(check="physics"))))


HOSTILE = "a|b\n<script>alert(1)</script>\x1b[31m`x`"


def test_what_records_hold_is_escaped() -> None:
    found = of_cells([cell(HOSTILE)], [cell(HOSTILE, verdict="fail", reason="![x](http://y) " + "z" * 1000)])
    text, table = render(found, 9), markdown(found, 9)
    assert "\x1b" not in text + table
    assert len(text.splitlines()) == 4
    row = next(line for line in table.splitlines() if "new failure |" in line)
    assert "<script>" not in row
    assert "![" not in row
    assert row.replace("\\|", "").count("|") == 4
    assert len(row) < 1000


def written(directory: Path, precision: Records, *others: Any) -> str:
    write_records(directory / "precision.json", precision)
    for document in others:
        write_records(directory / f"{document.suite}.json", document)
    return str(directory)


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    base = written(tmp_path / "base", run(cell()), findings("symmetry", finding()))
    same = written(tmp_path / "same", run(cell()), findings("symmetry", finding()))
    red = written(tmp_path / "red", run(cell(verdict="fail", reason="too large")), findings("symmetry", finding()))
    assert main(["compare", base, same]) == 0
    assert "NOTHING WORSE: nothing changed, 2 bit-identical" in capfd.readouterr().out
    out = tmp_path / "c.json", tmp_path / "c.md"
    assert main(["compare", base, f"{red}/precision.json", "--json", str(out[0]), "--markdown", str(out[1])]) == 1
    assert f"new failure        {NAME}: pass -> fail: too large" in capfd.readouterr().out
    assert [c.kind for c in read_comparison(out[0]).changes] == ["new-failure"]
    assert "# mpcheck compare: CHANGED FOR THE WORSE: 1 new failure" in out[1].read_text()
    before = out[0].read_bytes()
    assert main(["compare", base, str(tmp_path / "missing"), "--json", str(out[0])]) == 2
    assert str(tmp_path / "missing") in capfd.readouterr().err
    assert out[0].read_bytes() == before
    assert main(["compare", str(out[0]), base]) == 2
    assert "field suite is 'comparison'" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("fmt", "before", "after", "kinds"),
    [
        ("float64", 0.0, 0.7, []),
        ("float64", 0.12, 0.8, []),
        ("float64", 0.0, 0.95, ["moved"]),
        ("float64", 0.12, None, ["moved"]),
        ("float64", 2.4, 3.0, ["moved"]),
        ("float32", 0.0, 0.7, ["moved"]),
        ("float64", 0.7, 0.0, ["improved"]),
        ("bfloat16", 0.7, 0.0, ["improved"]),
    ],
)
def test_a_reference_compared_with_itself_is_no_measure_of_other_code(fmt: str, before: float, after: float | None, kinds: list[str]) -> None:
    rows = [[cell(format=fmt, quantities=[quantity(rms=rms, digest=str(rms))])] for rms in (before, after)]
    found = of_cells(*rows)
    assert [c.kind for c in found.changes] == kinds
    assert ("is it computed in this format?" in "".join(c.detail for c in found.changes)) == (fmt == "bfloat16"), "a collapse to zero is told"


def test_one_tensor_that_grew_is_not_hidden_by_one_that_shrank() -> None:
    before = [cell(quantities=[quantity(rms=0.9, name="a", digest="1"), quantity(rms=0.5, name="b", digest="2")])]
    after = [cell(quantities=[quantity(rms=0.1, name="a", digest="3"), quantity(rms=0.8, name="b", digest="4")])]
    [found] = of_cells(before, after).changes
    assert (found.kind, found.detail.partition(":")[0]) == ("moved", "b")


def growth(before: float, after: float, cells: int, beside: int = 0) -> Comparison:
    """So many cells of one growth, and others that differ within noise."""
    rows = [(f"b{i}", before, after) for i in range(cells)] + [(f"c{i}", 0.6, 0.61) for i in range(beside)]
    return of_cells(*([cell(subject=b, quantities=[quantity(rms=r[side], digest=str(side))]) for b, *r in rows] for side in (0, 1)))


@pytest.mark.parametrize(
    ("before", "after", "cells", "beside", "red"),
    [
        (0.5, 0.98, 1, 0, 1), (0.5, 0.98, 120, 0, 120), (0.81, 1.05, 1, 50, 0), (0.81, 1.05, 4, 53, 0), (0.5, 0.65, 9, 0, 0), (0.5, 0.65, 10, 0, 10),
        (0.5, 0.65, 10, 29, 10), (0.5, 0.65, 10, 31, 0), (0.98, 0.5, 50, 0, 0),
    ],
)  # fmt: skip
def test_growth_that_other_sound_code_shows_is_red_only_in_many_cells(before: float, after: float, cells: int, beside: int, red: int) -> None:
    assert growth(before, after, cells, beside).grown == red
