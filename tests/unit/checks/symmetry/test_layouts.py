"""A tensor in the wrong layout is seen where it can be told apart, and said to be indistinguishable where it cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mpcheck.adapters.slots import Slot
from mpcheck.checks.symmetry import layouts
from mpcheck.formats import FLOAT64, get_format
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


@pytest.mark.parametrize(("exact", "verdict"), [(0.3, "indistinguishable"), (1.6, "indistinguishable"), (2.7, "indistinguishable"), (3.5, "fail")])
def test_what_a_wrong_layout_changes_must_be_more_than_a_format_can_hide(exact: float, verdict: str) -> None:
    """Seen on a nearly perfect crystal in bfloat16: 1.56 roundings where 1.79 are allowed. The float64 reference says how much it is."""

    def ratio(value: float) -> Callable[[], layouts.WorstOutput]:
        return lambda: layouts.WorstOutput(value, 1.79, "out", ())

    case = layouts._Misreading("node_feats", Slot("3x0e+3x1o", "flat"), "", ratio(1.56), ratio(exact))
    found = layouts._concluded({"check": "layout"}, layouts.WorstOutput(0.4, 1.79, "out", ()), [case], 0.0)
    assert found.verdict == verdict and found.reason


def test_a_limit_hides_what_few_roundings_widen_it_by_and_not_what_a_user_does() -> None:
    """An atom alone in its cell: what symmetry leaves of its vectors makes 6.3 roundings in bfloat16, where 7.78 are allowed."""

    def unseen(limit: float, base: float) -> layouts.WorstOutput:
        return layouts.WorstOutput(1.0, limit, "out", (), base)

    assert layouts.hides(6.3, unseen(7.78, 2.5), 0.4) and not layouts.hides(9.0, unseen(7.78, 2.5), 0.4)
    assert not layouts.hides(9.0, unseen(50.0, 50.0), 0.4), "a table of limits that lets everything pass"
    assert layouts.hides(9.0, unseen(150.0, 50.0), 0.4), "three times four"
    assert layouts.hides(0.9, None, 0.0) and not layouts.hides(1.1, None, 0.0)


def test_what_is_small_beside_the_roundings_of_float64_is_so_on_the_reference_too(session: Session) -> None:
    fmt, reference, backend = get_format("bfloat16"), session.library(SYSTEM).get("products.0.linear"), session.reference_backend
    inputs = layouts._input_cases(session, backend, reference, fmt)
    outputs = layouts._output_cases(session, backend, reference, fmt, replay(backend, reference, fmt, FORWARD))
    for case in (*inputs, *outputs):
        wrong, exact = case.run(), case.exact()
        assert wrong.failures and exact.failures and 0.5 < exact.ratio / wrong.ratio < 2
