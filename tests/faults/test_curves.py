"""The families of faults: harmless at no size, always seen far above the limit, gone afterwards; and what is made of the counts."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
from pathlib import Path

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mpcheck._errors import InputError
from mpcheck._unsupported import Unsupported
from mpcheck.checks.precision import CellKey
from mpcheck.sessions.run import Session
from tests.faults.catalogue import Plant
from tests.faults.curves import blockwise, cells, changes, families, golden_runs, measure, physics_runs, picture, places, plans, records, table
from tests.faults.curves.families import FAMILIES, Item
from tests.faults.curves.statistics import bins, curve, curves, interval, levels
from tests.faults.deciders import trials
from tests.faults.deciders.clean import clean_keys, false_alarms
from tests.faults.deciders.comparison import markdown
from tests.faults.deciders.peers import DECIDERS
from tests.faults.deciders.records import Comparison, Peer, Trial, read_comparison, write_comparison

SYSTEM = "builtin:water"
BLOCKS = ("interactions.1.conv_tp", "interactions.1.linear", "interactions.1.scatter")
ROUNDING = ("truncated", "rounded twice", "operands rounded")
HUGE = 0.5
"""Relative, of a fault that no format can hide: 256 roundoffs of bfloat16."""
GONE = {"partial sums rounded": 2.0**20} | dict.fromkeys(ROUNDING, 53.0)
"""Magnitudes at which a family does nothing, where that is not 0: more terms than any sum has, more bits than any format."""


def _items(session: Session, backend: str, fmt: str, direction: str) -> list[Item]:
    """Every family that fits one of the blocks, once."""
    found: dict[str, Item] = {}
    for block in BLOCKS:
        key = CellKey(SYSTEM, block, backend, fmt, direction)
        for family in families.fitting(session, key):
            found.setdefault(family, Item(family, key, math.nan, 3))
    return list(found.values())


def _run(session: Session, item: Item) -> records.Planting:
    clean = cells.sound(session, item.key)
    assert clean is not None
    return cells.run(session, item, clean)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize(("backend", "fmt"), [("e3nn", "bfloat16"), ("cueq", "float32")])
def test_a_fault_of_no_size_changes_no_bit_and_is_not_seen(session: Session, backend: str, fmt: str, direction: str) -> None:
    if isinstance(reason := session.backend(backend), Unsupported):
        pytest.skip(str(reason))
    for item in _items(session, backend, fmt, direction):
        found = _run(session, dataclasses.replace(item, magnitude=GONE.get(item.family, 0.0)))
        assert (found.size, found.seen) == (0.0, []), item


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize(("backend", "fmt"), [("e3nn", "float32"), ("cueq", "float32")])
def test_a_fault_far_above_the_limit_is_always_seen_and_its_tensor_named(session: Session, backend: str, fmt: str, direction: str) -> None:
    if isinstance(reason := session.backend(backend), Unsupported):
        pytest.skip(str(reason))
    for item in _items(session, backend, fmt, direction):
        if item.family == "partial sums rounded":
            continue  # has no magnitude far above float32's own rounding: sums are rounded after every term at most
        found = _run(session, dataclasses.replace(item, magnitude=4.0 if item.family in ROUNDING else HUGE))
        # where backward results do not depend on a forward value (a linear layer's on its own result), nothing changes
        if found.size > 0:
            assert found.peak > 100, item
            assert set(found.seen) == {cells.LIMITS, cells.PRECISION, cells.DRIFT} and found.named, item
        else:
            assert direction == "backward" and item.family not in ("argument's gradient scaled", "weight gradient scaled"), item


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_nothing_is_left_behind(session: Session, family: str) -> None:
    """Results with a fault differ, and are what they were as soon as it is gone: parameters, hooks, functions."""
    keys = [CellKey(SYSTEM, b, "e3nn", "bfloat16", d) for b in BLOCKS for d in ("forward", "backward")]
    key = next(k for k in keys if FAMILIES[family].fits(session, k))
    before, _ = cells.replayed(session, key)
    magnitude = {"partial sums rounded": 1.0}.get(family, 3.0 if family in ROUNDING else HUGE)
    with contextlib.ExitStack() as stack:
        stack.enter_context(families.planted(session, Item(family, key, magnitude, 2)))
        during, _ = cells.replayed(session, key)
    after, _ = cells.replayed(session, key)
    assert any(not torch.equal(during[n], before[n]) for n in before)
    assert all(torch.equal(after[n], before[n]) for n in before)


def test_a_turned_irrep_is_seen_by_equivariance_and_a_scaled_one_is_not(session: Session) -> None:
    key = CellKey(SYSTEM, "interactions.1.linear", "e3nn", "float32", "forward")
    clean = cells.sound(session, key)
    assert clean is not None
    turned = blockwise.run(session, blockwise.BlockItem("equivariance", Item("components turned", key, 1e-2, 0)), clean)
    scaled = blockwise.run(session, blockwise.BlockItem("equivariance", Item("irrep scaled", key, 1e-2, 1)), clean)
    assert turned.seen == ["equivariance"] and scaled.seen == []
    assert turned.size > 100 and scaled.size > 100


def test_rows_in_another_layout_turn_the_layout_check_red(session: Session) -> None:
    key = CellKey(SYSTEM, "interactions.1.linear", "e3nn", "bfloat16", "forward")
    clean = cells.sound(session, key)
    assert clean is not None
    found = blockwise.run(session, blockwise.BlockItem("layout", Item(blockwise.MISREAD, key, 0.1, 0)), clean)
    assert found.seen == ["layout"] and found.size > 10


@pytest.mark.parametrize("name", ["finite-difference", "node-energies", "smoothness"])
def test_physics_sees_large_faults_and_none_where_there_is_none(session: Session, name: str) -> None:
    runs = physics_runs.PropertyRuns(session, SYSTEM)
    assert {f.verdict for f in runs.sound(name, "e3nn")} == {"pass"}
    large = runs.run(physics_runs.PropertyItem(name, "e3nn", 1e-4, 1))
    assert large.seen == [f"physics: {name}"] and large.size > 100 and large.named
    none = runs.run(physics_runs.PropertyItem(name, "e3nn", 0.0, 1))
    assert none.seen == [] and none.size < 1


def test_golden_values_see_a_large_fault(session: Session) -> None:
    runs = golden_runs.GoldenRuns(session, SYSTEM)
    key = CellKey(SYSTEM, "interactions.0.linear", "e3nn", "float64", "forward")
    assert runs.red(runs.sound) == []
    found = runs.run(Item("irrep scaled", key, 1e-8, 0))
    assert found.seen == [golden_runs.GOLDEN] and found.named and found.size > 100


def test_cells_of_a_plan_are_in_a_row_and_follow_the_seed(session: Session) -> None:
    """One sound replay serves all plantings of a cell; another seed takes other magnitudes."""
    first, same, other = (plans.cell_items(session, SYSTEM, 12, seed, BLOCKS, ("bfloat16",)) for seed in (0, 0, 1))
    order = [i.key for i in first]
    assert len(set(order)) == 1 + sum(a != b for a, b in itertools.pairwise(order))
    assert first == same != other


def test_a_small_measurement_is_written_read_and_drawn(session: Session, tmp_path: Path) -> None:
    tally: measure.Tally = measure.Tally()
    effort = dataclasses.replace(measure.SMOKE, blocks=("interactions.1.linear",), cells=12)
    rows = measure.measure_cells(session, effort, 0, tally, lambda _: None)
    sound = [records.Sound(check=cells.PRECISION, format="float32", asked=4, red=0)]
    found = records.Curves(
        schema_version=1, environment={}, model={"name": "builtin:hco"}, system=SYSTEM, seed=0, sound=sound, plantings=rows, seconds=1.0
    )
    assert not any(red for (_, _, red), count in tally.items() if count)
    path = tmp_path / "curves.json"
    records.write_curves(path, found)
    assert records.read_curves(path) == found
    text = table.markdown(found)
    assert "| limits and arithmetic | bfloat16 |" in text and "0 / 4" in text
    assert isinstance(picture.draw(found).canvas, FigureCanvasAgg)
    picture.write_picture(tmp_path / "curves.png", found)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    for old, new in (('"schema_version": 1', '"schema_version": 2'), ('"size":', '"sise":'), ('"red": 0', '"red": -1')):
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        with pytest.raises(InputError, match=r"curves\.json.*make them anew"):
            records.read_curves(path)
        records.write_curves(path, found)


def test_the_rate_of_a_known_threshold_is_found() -> None:
    sizes = [10 ** (k / 20) for k in range(-40, 41)]
    seen = [s >= 1 for s in sizes]
    assert levels(sizes, seen) == {0.5: pytest.approx(1.0), 0.95: pytest.approx(1.0)}
    found = bins(sizes, seen)
    assert [b.rate for b in found] == [float(b.low >= 1 - 1e-9) for b in found]
    assert sum(b.count for b in found) == len(sizes)
    assert levels(sizes, [False] * len(sizes)) == {0.5: None, 0.95: None}
    assert levels(sizes[:3], [True] * 3) == {0.5: None, 0.95: None}, "too few"


def test_intervals_hold_their_textbook_values() -> None:
    # Clopper and Pearson: none of n gives 1 - 0.025^(1/n); Wilson: z^2 / (n + z^2)
    assert interval(0, 100, "exact")[1] == pytest.approx(1 - 0.025**0.01)
    assert interval(0, 100)[1] == pytest.approx(1.959964**2 / (100 + 1.959964**2), rel=1e-6)


def test_plantings_that_change_nothing_are_counted_apart() -> None:
    def one(size: float, seen: list[str]) -> records.Planting:
        return records.Planting(
            family="f", subject="b", backend="e3nn", format="float32", direction="forward", magnitude=1.0, size=size, peak=size,
            asked=["limits"], seen=seen, named=True,
        )  # fmt: skip

    rows = [one(0.0, []), one(0.5, []), one(2.0, ["limits"]), one(records.LARGEST, ["limits"])]
    found = curve("limits", "float32", rows, [records.Sound(check="limits", format="float32", asked=50, red=0)])
    assert (found.plantings, found.idle, found.idle_red, found.alarms, found.sound) == (3, 1, 0, 0, 50)
    assert found.largest_missed is not None and found.largest_missed.size == 0.5
    assert found.alarm_bound == pytest.approx(1 - 0.025 ** (1 / 50))
    document = records.Curves(schema_version=1, environment={}, model={}, system="", seed=0, sound=[], plantings=rows, seconds=0.0)
    assert [(c.check, c.format) for c in curves(document)] == [("limits", "float32")]


def test_shortened_is_rounding_to_nearest_even_of_torch() -> None:
    x = torch.randn(1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(changes.shortened(x, 8, True), x.to(torch.bfloat16).double())
    assert torch.equal(changes.shortened(x, 24, True), x.float().double())
    cut = changes.shortened(x, 8, False)
    assert bool((cut.abs() <= x.abs()).all()) and not torch.equal(cut, changes.shortened(x, 8, True))


def test_tables_of_tensor_products_are_found_in_compiled_children(session: Session) -> None:
    module = places.module_of(session, CellKey(SYSTEM, "interactions.1.conv_tp", "e3nn", "float64", "forward"))
    assert module is not None
    degrees = {(module.irreps_in1[i.i_in1].ir.l, module.irreps_in2[i.i_in2].ir.l, module.irreps_out[i.i_out].ir.l) for i in module.instructions}
    shapes = sorted(tuple(2 * d + 1 for d in one) for one in degrees)
    # a path with a scalar in it needs no table
    assert sorted(tuple(t.shape) for t in places.tables(module)) == [s for s in shapes if 1 not in s]


PLANTS = {label: plant for label, _, plant in trials.plantings()}


@pytest.mark.parametrize(
    ("label", "seen", "other"),
    [
        ("A24b-channels_beyond_the_tile", {"MACE", "e3nn", "mpcheck, precision check"}, {"FlashAttention": "not tested"}),
        ("C8-not_a_number", {"MACE", "NequIP, kernels", "mpcheck, precision check"}, {"e3nn": "missed", "FlashAttention": "not tested"}),
        ("B9a-partial_sums_rounded", set(), {"cuEquivariance": "missed", "MACE": "not tested", "FlashAttention": "missed"}),
    ],
)
def test_every_rule_is_asked_about_a_planting_of_the_catalogue(
    session: Session, tmp_path: Path, label: str, seen: set[str], other: dict[str, str]
) -> None:
    plant = PLANTS[label]
    if plant.backend != "e3nn" and isinstance(reason := session.backend(plant.backend), Unsupported):
        pytest.skip(str(reason))
    found = trials.attempt(session, label, plant, tmp_path)
    assert not found.excluded
    assert seen <= {name for name, outcome in found.outcomes.items() if outcome == "seen"}
    assert other.items() <= found.outcomes.items()
    assert set(found.outcomes) == {rule.name for rule in DECIDERS} | {trials.END_TO_END, trials.NAMED}


def test_a_planting_that_does_nothing_on_this_model_counts_for_no_rule(session: Session, tmp_path: Path) -> None:
    plant = Plant(patch="ghosts_kept", check="golden", expected="interactions.0*")  # only LAMMPS makes ghost atoms
    found = trials.attempt(session, "ghosts", plant, tmp_path)
    assert found.excluded.startswith("changes no bit") and found.outcomes == {}


def test_sound_cells_are_alarms_of_the_tight_rules_only(session: Session) -> None:
    keys = [k for k in clean_keys(session, SYSTEM, ("e3nn",), ("bfloat16",)) if k.block in BLOCKS]
    tally = false_alarms(session, keys)
    assert tally["MACE's defaults in every format"]["alarms"] > 0
    assert tally["mpcheck, precision check"] == {"clean": 6}
    assert tally["MACE"] == {"not tested": 6}


def test_a_comparison_is_written_read_and_shown(tmp_path: Path) -> None:
    peer = Peer(name="MACE", source="", seen=1, missed=0, not_tested=1, always_red=0, clean=10, clean_not_tested=5, alarms=2)
    trial = Trial(plant="A1-x", check="golden", blocks=["b"], backend="e3nn", format="float64", direction="forward", outcomes={"MACE": "seen"})
    left = trial.model_copy(update={"plant": "A2-y", "excluded": "no block of this model", "outcomes": {}})
    found = Comparison(
        schema_version=1, environment={}, model={"name": "builtin:hco"}, system=SYSTEM, peers=[peer], trials=[trial, left],
        alarms={"MACE": {"float64": 2}}, seconds=1.0,
    )  # fmt: skip
    path = tmp_path / "deciders.json"
    write_comparison(path, found)
    assert read_comparison(path) == found
    text = markdown(found)
    assert "| MACE | 1 | 0 | 1 | 0 | 2 / 10 | float64 2 |" in text and "A2-y (no block of this model)" in text
    path.write_text(path.read_text(encoding="utf-8").replace('"outcomes":{"MACE":"seen"}', '"outcomes":{"MACE":"perhaps"}'), encoding="utf-8")
    with pytest.raises(InputError, match=r"deciders\.json"):
        read_comparison(path)
