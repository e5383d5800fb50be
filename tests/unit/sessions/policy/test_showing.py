"""What a terminal and a page show: the answer first, a row for each policy, what is red, pictures."""

from __future__ import annotations

from pathlib import Path

from mpcheck.sessions.policy.drawing import marks, pictures
from mpcheck.sessions.policy.showing import SHOWING, cells, rows, spenders
from tests.unit.sessions.policy.samples import WATER, block, document, errors, judged, timed

RUN = document(
    *judged("float64", errors(0.0, 1e-14)), *judged("float32", errors(1e-4, 0.005)), *judged("linear-bf16", errors(0.5, 9.0, stress_GPa=None)),
    *judged("readout-int8w", None, "cueq", "unsupported", reason="refused: no channels"),
    *judged("all-bf16", errors(60.0, None), verdict="fail", reason="products.0: computes in float32", block="products.0"),
    timed("float64", 1.0), timed("float32", 1.6), timed("linear-bf16", 2.0), timed("float32", 2.5, variant="compile"),
    block("products.0.linear", 0.2, alone="bfloat16", together="float16"), block("readouts.0.linear", 0.7),
)  # fmt: skip


def test_a_terminal_shows_the_answer_first() -> None:
    text = SHOWING.terminal(RUN)
    assert text.strip().startswith("m on builtin:water: safe within")
    assert text.index("safe within") < text.index("relative") < text.index("where the error of linear-bf16")
    assert "FAIL policy:builtin:water/all-bf16-e3nn-applied" in text
    assert "computes in float32" in text
    assert "unsupported(refused: no channels): readout-int8w" in text


def test_a_row_of_the_table() -> None:
    by_name = {r.policy: cells(r, True) for r in rows(RUN)}
    assert by_name["float32"][2:4] == ["1e-04", "0.005"]
    assert by_name["float32"][-4:] == ["6.2", "1.60 ±0.16", "8", "safe"]
    assert by_name["readout-int8w"][-1] == "refused"
    assert by_name["all-bf16"][-1] == "FAIL"


def test_who_spends_most_comes_first() -> None:
    assert [name for name, _ in spenders(RUN, WATER)] == ["readouts.0.linear", "products.0.linear"]


def test_a_page_escapes_what_users_named() -> None:
    page = SHOWING.markdown(document(*judged("<b>", errors()), *judged("a|b", errors())))
    assert "<b>" not in page
    assert page.startswith("# mpcheck policy: PASS")


def test_marks_of_what_was_measured_and_timed() -> None:
    found = {(m.policy, m.variant): m for m in marks(RUN, WATER, "force")}
    assert set(found) == {("float64", ""), ("float32", ""), ("linear-bf16", ""), ("float32", "compile")}
    assert found["float64", ""].error == 0.0, "float64's own rounding would stretch the axis by ten decades"
    assert (found["float32", ""].low, found["float32", ""].speedup) == (0.9 * 1.6, 1.6)


def test_pictures_are_written(tmp_path: Path) -> None:
    files = SHOWING.pictures(tmp_path, RUN)
    assert [f.name for f in files] == [
        "policy-pareto-force-builtin-water.svg", "policy-pareto-energy-builtin-water.svg", "policy-spending-builtin-water.svg",
    ]  # fmt: skip
    assert all(f.read_text().lstrip().startswith(("<svg", "<?xml")) for f in files)


def test_no_picture_of_nothing() -> None:
    assert pictures(document()) == []
