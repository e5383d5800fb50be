"""Lines about what was made of model and structures, in every session's report."""

from __future__ import annotations

from mpcheck.records.document import JudgedSystem, Records
from mpcheck.report import bench, findings, markdown, terminal
from mpcheck.report.judged import judged_lines, subject_lines
from tests.unit.hostile import samples

NOTE = "total_charge is in no structure: upstream's default, 0"


def run_of(suite: str) -> Records:
    told = {"model": samples.head()["model"] | {"source": {"file": "a.model", "conversion": "saved otherwise", "adapters": "two merged"}}}
    run = (
        samples.findings(suite, [samples.finding("latency" if suite == "bench" else "physics")], **told)
        if suite != "precision"
        else samples.run([samples.cell()], **told)
    )
    systems = [JudgedSystem(name=name, notes=notes) for name, notes in (("a", [NOTE]), ("b", []), ("c", [NOTE]))]
    return run.model_copy(update={"systems": systems})


def test_model_first_then_systems_of_the_same_words() -> None:
    assert judged_lines(run_of("audit")) == ["model: saved otherwise", "model: two merged", f"a, c: {NOTE}"]


def test_what_was_judged_is_told_with_its_size() -> None:
    run = run_of("audit")
    systems = [JudgedSystem(name="one", atoms=33, frames=1, edges=1214), JudgedSystem(name="many", atoms=57, frames=7, edges=452)]
    model = run.model.model_copy(update={"name": "my.model", "elements": ["H", "O"], "parameters": 16944, "stored_dtype": "float32"})
    assert subject_lines(run.model_copy(update={"model": model, "systems": systems})) == [
        "model my.model: H O, 16,944 parameters, stored in float32",
        "system one: 33 atoms, 1,214 edges",
        "system many: 57 atoms, 7 frames, 452 edges",
    ]
    assert subject_lines(run)[1:] == [f"system {name}: of unknown size" for name in "abc"]


def test_every_report_tells_them() -> None:
    for show, suite in ((terminal.render, "precision"), (markdown.render, "precision"), (findings.render, "audit"), (findings.markdown, "audit"), (bench.render, "bench")):  # fmt: skip  # noqa: E501
        text = show(run_of(suite)).replace("\\", "")
        assert "saved otherwise" in text and "a, c: " in text, show
