"""Predicted beside counted costs, as records and as a table."""

from __future__ import annotations

from mpcheck.bench.work.workloads import Workloads
from mpcheck.records.record import Record
from mpcheck.sessions.profile.cost_rows import HEAD, cost_cells, cost_findings, counted
from mpcheck.sessions.run import Options, Session
from tests.unit.record_samples import findings

SYSTEM, BLOCK = "builtin:water", "interactions.1.linear_up"


def test_a_counted_block_stands_beside_its_prediction_and_the_others_have_theirs_alone() -> None:
    workloads = Workloads(Session(Options(systems=(SYSTEM,), backends=("e3nn",), formats=("float32",), blocks=(BLOCK,))))
    ((name, cost),) = counted(workloads, SYSTEM, 1, "float32")
    assert name == BLOCK
    records: dict[str, Record] = {r.subject: r for r in cost_findings(workloads, SYSTEM, 1, "float32")}
    own, other = records[BLOCK], records["interactions.0.linear_up"]
    assert own.figures["counted_multiply_adds"] == cost.multiply_adds and own.figures["peak_bytes"] == cost.peak_bytes
    assert own.figures["counted_over_predicted"] == round(cost.multiply_adds / own.figures["predicted_multiply_adds"], 4)
    assert other.figures.get("counted_multiply_adds") is None and other.figures["predicted_multiply_adds"] > 0
    lines = cost_cells(findings("profile", own, other))
    assert [len(line) for line in lines] == [len(HEAD)] * 2 and lines[1][4:6] == ["–", "–"] and lines[0][0] == BLOCK
