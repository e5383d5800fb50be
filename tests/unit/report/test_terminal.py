"""The first screen: what was judged, the verdict, the worst blocks, what is red, what could not run; and nothing else."""

from __future__ import annotations

import pytest

from mpcheck.records.document import Records
from mpcheck.records.record import Record
from mpcheck.report.terminal import render
from tests.unit.record_samples import cell, quantity, run

NAMES = [f"interactions.{n}.conv_tp_weights" for n in range(9)]
FORMATS = ("float64", "float32", "tf32", "bfloat16", "float16")


def judged(name: str, rms: float, **changes: object) -> list[Record]:
    return [cell(name, [quantity(rms=rms)], format=one, **changes) for one in FORMATS]


def green(*more: Record) -> Records:
    return run(*(c for n, name in enumerate(NAMES) for c in judged(name, 0.1 * n)), *more)


def lines(document: Records, **how: object) -> list[str]:
    return [line.rstrip() for line in render(document, **how).splitlines()]  # type: ignore[arg-type]  # of render


def test_what_was_judged_then_the_verdict_then_the_worst_five() -> None:
    told = lines(green())
    assert (told[1].startswith("model m") and told[2] == "system builtin:water: 33 atoms, 1 frame, 1,214 edges") or "1,214 edges" in told[2]
    assert told[4].startswith("PASS: precision, 45 of 45 records judged")
    assert "error ÷ allowed error; 1 is the limit; the worst 5 of 9 blocks, -v shows all" in told
    shown = [line.split()[0] for line in told if line.startswith("interactions.")]
    assert shown == NAMES[:3:-1], "largest first"
    assert not [line for line in told if line.startswith(("drift:", "references:", "slowest cells"))], "no verdict needs it"


def test_the_whole_has_every_block_in_its_order_and_the_verdict_last() -> None:
    told = lines(green(), whole=True)
    assert [line.split()[0] for line in told if line.startswith("interactions.")] == NAMES
    assert told[-1].startswith("PASS: precision") and [line for line in told if line.startswith("slowest cells")]
    assert not any("-v" in line for line in told)


def test_a_red_block_is_told_once_with_its_command_however_many_of_its_cells_are() -> None:
    failed = {"verdict": "fail", "reason": "out: rms ratio 9 > 1.5"}
    document = green(*(cell("products.0", [quantity(rms=9.0, failures=["rms"])], format=one, **failed) for one in FORMATS))
    told = lines(document)
    assert told[4].startswith("FAIL: precision")
    assert next(line for line in told if line.startswith(("interactions.", "products."))).startswith("products.0")
    (place,) = [n for n, line in enumerate(told) if line.startswith("FAIL builtin:water/products.0")]
    assert told[place + 1] == "     out: rms ratio 9 > 1.5" and told[place + 2].startswith("     mpcheck run m --system builtin:water")
    assert told[place + 3] == "     and 4 more red cells of it"


def test_what_could_not_run_is_told_with_its_reason_a_line_each() -> None:
    document = green(*(cell("b", [], verdict="unsupported", reason=f"because {n // 2}", format=one) for n, one in enumerate(FORMATS)))
    told = lines(document)
    assert [line for line in told if "unsupported(" in line] == [f"  unsupported(because {n}): {2 - n // 2}" for n in range(3)]
    many = green(*(cell(f"b{n}", [], verdict="unsupported", reason=f"because {n}") for n in range(9)))
    assert "  and 3 more reasons, -v shows all" in lines(many)
    assert len([line for line in lines(many, whole=True) if "unsupported(" in line]) == 9


@pytest.mark.parametrize("width", [60, 72, 100])
def test_nothing_of_a_table_is_lost_on_a_narrow_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = render(green(*(cell("products.0", [quantity(rms=9.0, failures=["x"])], format=f, verdict="fail", reason="x") for f in FORMATS)))
    table = text.partition("1 is the limit")[2].partition("FAIL builtin:water")[0]
    assert all(len(line.rstrip()) <= width for line in table.splitlines()) and "…" not in table
    assert all(name in table for name in FORMATS) and table.count("6.00") == len(FORMATS)


def test_ratios_that_are_not_stored_are_no_matter_of_a_foreign_model() -> None:
    document = run(cell(drift="no-baseline"))
    told = [line for line in lines(document, whole=True) if line.startswith("drift:")]
    assert told == ["drift: no ratios are stored for 1 cells on cpu-test-avx2"]
    own = document.model_copy(update={"model": document.model.model_copy(update={"name": "builtin:hco"})})
    assert "`python -m mpcheck.sessions.regenerate --only baseline` stores them" in " ".join(render(own, whole=True).split())
