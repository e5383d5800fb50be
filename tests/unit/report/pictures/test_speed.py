"""Speed against accuracy."""

from __future__ import annotations

from mpcheck.records.policy_figures import WholeModel
from mpcheck.records.record import Record
from mpcheck.report.pictures import pictures
from mpcheck.report.pictures.speed import subjects
from tests.unit.report.pictures.samples import FORMATS, bench_of, cell, full, named, quantity, results, run_of, texts, timing, timings


def test_speed_is_relative_to_e3nn_float32_or_the_slowest() -> None:
    run = run_of(full())
    usual, other = (bench_of([timing("interactions.0", *names, ms=ms) for names, ms in rows]) for rows in (
        [(("e3nn", "float32"), 2.0), (("cueq", "bfloat16"), 1.0), (("cueq", "float64"), 8.0)],
        [(("cueq", "float32"), 2.0), (("cueq", "bfloat16"), 1.0)],
    ))  # fmt: skip
    assert {(p.backend, p.format): p.latency for p in subjects(run, usual)[0].points} == {
        ("e3nn", "float32"): 1.0, ("cueq", "bfloat16"): 0.5, ("cueq", "float64"): 4.0,
    }  # fmt: skip
    assert [p.latency for p in subjects(run, other)[0].points] == [1.0, 0.5]


def test_the_error_beside_a_latency_is_that_of_the_timed_work() -> None:
    cells = [cell("a", quantities=[quantity(error=1e-6)]), cell("a", direction="backward", quantities=[quantity(error=1e-2)])]
    for work, error in (("forward", 1e-6), ("forward+backward", 1e-2)):
        found = subjects(run_of(cells), bench_of([timing("a", variant=work), timing("model", variant=work), timing("not judged")]))
        assert {s.name: s.points[0].error for s in found} == {"a": error}


def test_the_error_of_the_model_is_that_of_its_forces() -> None:
    """Never that of its worst block, which says nothing of the whole."""
    detail = WholeModel(force_relative=3e-6, force_meV_per_A=1.0)
    whole = Record(check="whole-model", subject="model", backend="e3nn", format="float32", system="s", verdict="pass", detail=detail, key="whole")
    run = run_of([cell("a", quantities=[quantity(error=1e-2)]), whole])
    found = subjects(run, bench_of([timing("a", variant="forward"), timing("model", variant="energy+forces")]))
    assert {s.name: s.points[0].error for s in found} == {"a": 1e-2, "model": 3e-6}


def test_one_format_compares_backends_and_says_so() -> None:
    one, several = (named(pictures(results(full(), timings(f))), "speed") for f in (("float32",), FORMATS))
    assert "Only float32 was timed" in one.caption
    assert "Only" not in several.caption
    assert "bf16" in texts(several) and "bf16" not in texts(one)
