"""Whom drift blames: the block that computes otherwise, not the sound ones whose inputs it moved."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.adapters.execution import Tensors
from mpcheck.checks.precision import CellKey
from mpcheck.history.ratios import Baseline
from mpcheck.reference.build import evaluate
from mpcheck.reference.library import BlockReference
from mpcheck.reference.prints import Print, prints_of
from mpcheck.sessions.precision.blame import Blame
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.precision.orders import orders_of
from mpcheck.sessions.regenerate import references
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults.catalogue_runs import anew
from tests.faults.patches import PATCHES
from tests.faults.rewritings import REWRITINGS
from tests.faults.twins.acting import Acts
from tests.unit.drifting import baseline_of, suite_of, tightened

FORMATS = ("float32", "bfloat16")
CULPRIT, COMPOSITE, BEHIND, BEFORE = "radial_embedding.bessel_fn", "radial_embedding", "interactions.1.linear", "interactions.0.linear_up"


def key(block: str, fmt: str = "bfloat16", direction: str = "forward") -> CellKey:
    return CellKey(SYSTEM, block, "e3nn", fmt, direction)


SOFT = [key(BEHIND), key(COMPOSITE), key(BEFORE, direction="backward")]
"""Cells whose stored ratios are halved, so that they drift in any run."""


@pytest.fixture(scope="module")
def baseline(session: Session) -> Baseline:
    blocks = (CULPRIT, COMPOSITE, BEHIND, BEFORE)
    cells = [judge_by_limits(session, key(b, f, d)) for b in blocks for f in FORMATS for d in ("forward", "backward")]
    return tightened(tightened(baseline_of(session, cells, references(session)), SOFT[:2]), SOFT[2:], ".energy.")


@contextlib.contextmanager
def wrong_basis(session: Session, cache: Path, blocks: tuple[str, ...] = ()) -> Iterator[Session]:
    """Another prefactor of the radial basis, a tenth of a per cent off, in an upstream whose references have it, too."""
    made = anew(session, cache)
    made.options = dataclasses.replace(made.options, blocks=blocks, backends=("e3nn",), draws=2)
    with PATCHES["another_bessel_prefactor"](made, factor=1.001):
        yield made


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """References of the wrong basis: made once."""
    return tmp_path_factory.mktemp("faulty")


def test_where_inputs_stand_a_drifted_cell_is_to_blame(session: Session, baseline: Baseline, tmp_path: Path) -> None:
    suite = suite_of(session, baseline, tmp_path)
    assert [suite.judge(k).drift for k in SOFT] == ["fail"] * 3
    assert suite.judge(key(CULPRIT)).drift == "pass"


def test_a_block_that_computes_otherwise_is_blamed_for_those_behind_it(session: Session, baseline: Baseline, faulty: Path, tmp_path: Path) -> None:
    """Behind it in either direction: the energy's cotangents come from the other side."""
    with wrong_basis(session, faulty) as made:
        suite = suite_of(made, baseline, tmp_path)
        behind, around, before = [suite.judge(k) for k in SOFT]
        culprits = [suite.judge(key(CULPRIT, fmt)) for fmt in FORMATS]
    for cell in (behind, around, before):
        assert (cell.verdict, cell.drift) == ("pass", "inputs-moved"), cell.reason
        assert CULPRIT in cell.note and "is to blame" in cell.note
    assert "its inputs moved (features)" in behind.note
    assert f"{CULPRIT} inside it" in around.note
    assert "the energy's gradient" in before.note
    for cell in culprits:
        assert (cell.verdict, cell.drift) == ("fail", "fail")
        assert "on the same inputs" in cell.reason and "out moved by 0.001 of its size" in cell.reason


def test_no_excuse_points_to_a_block_that_is_not_judged(session: Session, baseline: Baseline, faulty: Path, tmp_path: Path) -> None:
    with wrong_basis(session, faulty, (BEHIND,)) as made:
        assert suite_of(made, baseline, tmp_path).judge(key(BEHIND)).drift == "fail"
    refused = {k: v for k, v in baseline.references.items() if CULPRIT not in k and not k.endswith(COMPOSITE)}
    with wrong_basis(session, faulty) as made:
        assert suite_of(made, baseline.model_copy(update={"references": refused}), tmp_path).judge(key(BEHIND)).drift == "fail"


def test_a_baseline_without_prints_excuses_nothing(session: Session, baseline: Baseline, faulty: Path, tmp_path: Path) -> None:
    with wrong_basis(session, faulty) as made:
        suite = suite_of(made, baseline.model_copy(update={"references": {}}), tmp_path)
        assert [suite.judge(k).drift for k in (*SOFT[:1], key(CULPRIT))] == ["fail", "pass"]


def test_a_limit_is_not_excused(session: Session, baseline: Baseline, faulty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with wrong_basis(session, faulty) as made:
        suite, original = suite_of(made, baseline, tmp_path), judge_by_limits

        def judge(session: Session, asked: CellKey) -> Any:
            cell = original(session, asked)
            return cell.model_copy(update={"verdict": "fail", "reason": "out: rms ratio 3 > 1"}) if asked.block == BEHIND else cell

        for place in ("suite", "blame"):
            monkeypatch.setattr(f"mpcheck.sessions.precision.{place}.judge_by_limits", judge)
        cell = suite.judge(key(BEHIND))
    assert cell.verdict == "fail" and "rms ratio 3 > 1" in cell.reason


def test_quantities_of_random_cotangents_do_not_depend_on_the_energy(session: Session, baseline: Baseline, faulty: Path, tmp_path: Path) -> None:
    """A block before the culprit whose inputs stand drifts in a gradient of the random cotangents: it is to blame itself."""
    only = tightened(baseline, SOFT[2:], ".random.")
    with wrong_basis(session, faulty) as made:
        assert suite_of(made, only, tmp_path).judge(key(BEFORE, direction="backward")).drift == "fail"


@pytest.mark.parametrize("name", ["silu as x sigmoid(x)", "envelope in Horner form", "root of squares for norm"])
def test_a_benign_rewriting_moves_no_inputs_and_is_no_culprit(name: str, session: Session, baseline: Baseline, tmp_path: Path) -> None:
    made = anew(session, tmp_path / "cache")
    made.options = dataclasses.replace(made.options, draws=2)
    acts = Acts()
    with REWRITINGS[name].plant(made, acts):
        blame = suite_of(made, baseline, tmp_path).blame
        for block in (*REWRITINGS[name].leaves(session, SYSTEM), "interactions.1.linear", "products.1.linear", "readouts.1.linear_1"):
            standing = blame.standing(SYSTEM, block)
            assert standing is not None and (standing.inputs, standing.energy, dict(standing.values)) == ("", "", {}), (block, standing)
    assert acts.calls


EDGES = ("radial_embedding.bessel_fn", "spherical_harmonics", "interactions.0.conv_tp_weights", "interactions.0.conv_tp", "interactions.1.conv_tp")


def permuted(session: Session, cache: Path, names: tuple[str, ...]) -> Session:
    """The same structure with its neighbour list in another order, of some of its tensors: all of them, where it is the same graph."""
    made = anew(session, cache)
    made.options = dataclasses.replace(made.options, backends=("e3nn",), draws=2)
    graph: Tensors = dict(session.graph(SYSTEM))
    order = torch.randperm(graph["edge_index"].shape[1], generator=torch.Generator().manual_seed(7))
    for name in names:
        graph[name] = graph[name][:, order] if name == "edge_index" else graph[name][order]
    made._graphs[SYSTEM] = graph
    return made


def test_a_neighbour_list_in_another_order_accuses_nobody(session: Session, baseline: Baseline, tmp_path: Path) -> None:
    """Prints do not mind the order of rows; random cotangents, and with them the gradients along them, do."""
    made = permuted(session, tmp_path, ("edge_index", "shifts", "unit_shifts"))
    blame = Blame(made, baseline.references)
    for block in EDGES:
        standing = blame.standing(SYSTEM, block)
        assert standing is not None and (standing.inputs, dict(standing.values)) == ("", {}), (block, standing)
        assert not any(blame.accused(key(block, direction=d)) for d in ("forward", "backward"))


def with_inputs(session: Session, reference: BlockReference, change: Any) -> BlockReference:
    """A sound block's reference on other arguments."""
    inputs = {n: change(n, t) for n, t in reference.inputs.items()}
    values = evaluate(session.reference_backend, reference.block, reference.skeleton, inputs, reference.cotangents)
    return dataclasses.replace(reference, inputs=inputs, values=values)


def stored(reference: BlockReference) -> dict[str, Print]:
    return prints_of(reference) | orders_of(reference)


def test_arguments_that_no_longer_belong_together_have_moved(session: Session) -> None:
    """Each has the print that it had; a sound block gets another's rows with its own."""
    reference = session.library(SYSTEM).get("interactions.0.conv_tp")
    last = list(reference.inputs)[-1]
    turned = with_inputs(session, reference, lambda n, t: t.flip(0) if n == last else t)
    standing = Blame(session, {})._compare(stored(reference), turned)
    assert standing.inputs == f"the order of rows of {last}" and not standing.values
    older = Blame(session, {})._compare(prints_of(reference), turned)  # without orders it is taken for the block's doing
    assert older.values


def test_a_movement_too_small_to_count_may_grow_on_its_way_through_a_block(session: Session) -> None:
    """A product of third order moves three times as far as what it is of."""
    reference = session.library(SYSTEM).get("products.0.symmetric_contractions")
    near = with_inputs(session, reference, lambda n, t: t * (1 + 6e-12) if n == "x" else t)
    standing = Blame(session, {})._compare(stored(reference), near)
    assert (standing.inputs, dict(standing.values)) == ("", {})
    wrong = dataclasses.replace(reference, values={n: v * (1 + 3e-11) for n, v in reference.values.items()})
    assert Blame(session, {})._compare(stored(reference), wrong).values, "with arguments that stand it is the block's own doing"


def test_a_culprit_that_cannot_run_in_a_format_excuses_cells_of_that_format(
    session: Session, baseline: Baseline, faulty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is red in another."""
    original = judge_by_limits

    def judge(session: Session, asked: CellKey) -> Any:
        cell = original(session, asked)
        lacking = asked.block == CULPRIT and asked.format == "bfloat16"
        return cell.model_copy(update={"verdict": "unsupported", "detail": cell.tensors.model_copy(update={"quantities": []})}) if lacking else cell

    with wrong_basis(session, faulty) as made:
        suite = suite_of(made, baseline, tmp_path)
        for place in ("suite", "blame"):
            monkeypatch.setattr(f"mpcheck.sessions.precision.{place}.judge_by_limits", judge)
        behind = suite.judge(key(BEHIND))
        assert suite.judge(key(CULPRIT)).drift != "fail" and suite.judge(key(CULPRIT, "float32")).drift == "fail"
    assert (behind.verdict, behind.drift) == ("pass", "inputs-moved")


def test_where_no_block_computes_otherwise_a_moved_cell_is_red_and_not_blamed(
    session: Session, baseline: Baseline, faulty: Path, tmp_path: Path
) -> None:
    with wrong_basis(session, faulty, (BEHIND,)) as made:
        cell = suite_of(made, baseline, tmp_path).judge(key(BEHIND))
    assert cell.verdict == "fail" and "its inputs moved (features), and no block of this run computes otherwise" in cell.reason
    cell = suite_of(session, baseline, tmp_path).judge(key(BEHIND))
    assert cell.verdict == "fail" and "inputs moved" not in cell.reason
