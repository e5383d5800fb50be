"""A tensor in the wrong layout is seen where it can be told apart, and said to be indistinguishable where it cannot."""

from __future__ import annotations

from mpcheck.checks.symmetry import layouts
from mpcheck.formats import FLOAT64
from mpcheck.judge.context import Key
from mpcheck.judge.replay import FORWARD, replay
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM


def test_a_layers_features_are_seen_on_both_sides(session: Session) -> None:
    sides = layouts.run(session, Key("layout", "products.0.linear", "e3nn", "float64", SYSTEM))
    assert [(r.variant, r.verdict) for r in sides] == [("inputs", "pass"), ("outputs", "pass")]
    assert sides[0].figures["seen"] == ["features"] and sides[1].figures["seen"] == ["out"]
    assert sides[0].figures["wrong_layout_ratio"] > 1e6


def test_scalars_are_the_same_in_both_layouts(session: Session) -> None:
    for record in layouts.run(session, Key("layout", "node_embedding.linear", "e3nn", "float64", SYSTEM)):
        assert record.verdict == "indistinguishable" and "is the same in both layouts" in record.reason


def test_an_output_that_is_off_fails_by_the_suites_own_limits(session: Session) -> None:
    reference, backend = session.library(SYSTEM).get("products.0.linear"), session.reference_backend
    low = replay(backend, reference, FLOAT64, FORWARD)
    sound = layouts.judged(low, reference, backend, FLOAT64, session.tolerances)
    wrong = layouts.judged({"out": low["out"] * (1 + 1e-9)}, reference, backend, FLOAT64, session.tolerances)
    gone = layouts.judged({}, reference, backend, FLOAT64, session.tolerances)
    assert not sound.failures and sound.tensor == "out" and wrong.failures and wrong.ratio > sound.ratio and gone.failures


def test_irreps_that_nothing_depends_on_are_unread(session: Session) -> None:
    reference = session.library(SYSTEM).get("products.0.linear")
    slot = reference.block.input_slot("features")
    assert layouts.unread("features", slot, reference) == []
    values = {**reference.values, "grad.random.features": reference.values["grad.random.features"] * 0}
    nothing = type(reference)(**{**vars(reference), "values": values})
    assert layouts.unread("features", slot, nothing) == layouts.differing(slot)
