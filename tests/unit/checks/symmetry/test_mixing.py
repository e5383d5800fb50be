"""A block of another backend, with adapters, is right and leaves the energy."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.adapters.backends.mixed import MixedModel
from mpcheck.checks.symmetry import mixing
from mpcheck.checks.symmetry.layouts import WorstOutput, judged
from mpcheck.formats import FORMATS
from mpcheck.judge.context import Key
from mpcheck.judge.replay import FORWARD, replay
from mpcheck.sessions.run import Options, Session
from tests.zoo import models, structures

SYSTEM = "builtin:water"


def _pair(session: Session) -> tuple[object, object]:
    pair = session.backend("cueq"), session.backend("e3nn")
    if isinstance(pair[0], str):
        pytest.skip(pair[0])
    return pair


@pytest.mark.parametrize("direction", ["cueq+e3nn", "e3nn+cueq"])
@pytest.mark.parametrize("block", ["interactions.1", "products.0", "products.0.symmetric_contractions", "readouts.0.linear"])
def test_a_swapped_block_with_adapters_is_right_and_leaves_the_energy(session: Session, block: str, direction: str) -> None:
    base, donor = _pair(session) if direction.startswith("cueq") else reversed(_pair(session))
    mixed = MixedModel(base, {donor.name: donor}, {block: donor.name})  # type: ignore[attr-defined,arg-type,dict-item]
    reference = session.library(SYSTEM).get(block)
    low = replay(mixed, reference, FORMATS["float64"], FORWARD)  # type: ignore[arg-type]
    assert not judged(low, reference, donor, FORMATS["float64"], session.tolerances).failures  # type: ignore[arg-type]
    _, ratio = mixing.bench(session, 4).shift(mixed, base)  # type: ignore[arg-type]
    assert ratio <= mixing.end_to_end_limit(session)  # type: ignore[arg-type]


NAMES = {"check": mixing.CHECK, "subject": "products.0.symmetric_contractions", "backend": "e3nn+cueq-mul_ir", "system": "one-atom"}
RAISED = mixing.Swap(None, "AssertionError: input index must be one-dimensional in SegmentedPolynomial.forward", None, None)


def swap(*failures: str) -> mixing.Swap:
    return mixing.Swap(WorstOutput(9.0 if failures else 0.5, 1.0, "out", failures), "", None, None)


@pytest.mark.parametrize(
    ("found", "names", "adapts", "verdict", "says"),
    [
        # on one atom at a centre of inversion all but scalars vanish, no layout can be told apart, and a contraction takes indices, not one-hot rows
        (RAISED, [], True, "pass", "called otherwise: raises AssertionError"),
        (RAISED, [], False, "fail", "no layout changes, yet it raises"),
        (swap("rms ratio 9 > 1"), [], True, "fail", "no layout changes, yet rms ratio 9 > 1"),
        (swap(), [], True, "indistinguishable", "no layout changes"),
        (RAISED, ["out"], True, "pass", "layout mismatch of out: raises"),
        (swap(), ["out"], True, "fail", "does not see it"),
    ],
)
def test_a_swap_without_adapters(found: mixing.Swap, names: list[str], adapts: bool, verdict: str, says: str) -> None:
    record = mixing._bare(NAMES, found, names, 2.0, adapts)
    assert record.verdict == verdict and says in record.reason


def test_a_swap_that_no_structure_of_the_run_could_show_says_so() -> None:
    why = "makes 0 roundings on this structure, too few to see"
    record = mixing._bare(NAMES, swap(), ["features (3x0e+3x1o)"], 2.0, True, lambda: why)
    assert record.verdict == "indistinguishable" and record.reason == f"layout mismatch of features (3x0e+3x1o): {why}"


def test_layouts_are_told_apart_where_numbers_are(session: Session, tmp_path: Path) -> None:
    """One atom at a centre of inversion has scalars alone: what lies where the layouts differ is zero, and a forgotten conversion harmless."""
    model, crystal = models.save("scale-shift", tmp_path), str(structures.save("orthorhombic", tmp_path))
    perfect = Session(Options(model=str(model), systems=(crystal,), cache=tmp_path / "cache"))
    for context, system, verdict in ((perfect, crystal, "indistinguishable"), (session, SYSTEM, "pass")):
        bare, adapted = mixing.run(context, Key(mixing.CHECK, "products.0.linear", "e3nn", "", system, "cueq"), 4)
        assert (bare.verdict, adapted.verdict) == (verdict, "pass"), (bare.reason, adapted.reason)
