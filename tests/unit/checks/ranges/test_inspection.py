"""What is said of larger structures is so: they are built, and run in the format. What is planted is seen, and sound models are not red."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.io import write

from mpcheck._names import RANGES
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.steps import recorded
from mpcheck.checks.precision import CellKey
from mpcheck.checks.ranges.growth import more_atoms, more_neighbours
from mpcheck.checks.ranges.inspection import INSPECTION
from mpcheck.formats import FLOAT16
from mpcheck.judge.context import Key
from mpcheck.records.range_figures import Ranges, TensorRange
from mpcheck.records.record import Record
from mpcheck.sessions.run import Options, Session
from tests.unit.checks.uses.small_models import built

ELEMENTS = ["H", "O"]
WATER = "builtin:water:2"


def session(model: torch.nn.Module, folder: Path, system: str = WATER, formats: tuple[str, ...] = ("float16",)) -> Session:
    path = folder / "own.model"
    torch.save(model, path)
    return Session(Options(model=str(path), systems=(system,), formats=formats, backends=("e3nn",), cache=folder / "cache", draws=2))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return session(built("ScaleShiftMACE"), tmp_path_factory.mktemp("sound"), formats=())


def found(run: Session, block: str) -> dict[tuple[str, str], Record]:
    (system,) = run.systems
    return {(r.variant, r.format): r for r in INSPECTION.run(run, Key(RANGES, block, system=system))}


def tensor(record: Record, name: str) -> TensorRange:
    assert isinstance(record.detail, Ranges)
    return next(one for one in record.detail.ranges if one.name == name)


def in_float16(model: torch.nn.Module, graph: dict[str, torch.Tensor]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Energies of a model that runs in float16, and what its message scatters give."""
    low, scatters = copy.deepcopy(model).to(torch.float16), list[torch.Tensor]()

    def step(kind: str, arguments: dict[str, Any], call: Callable[[], torch.Tensor]) -> torch.Tensor:
        out = call()
        if kind == "scatter":
            scatters.append(out)
        return out

    with recorded(step), torch.no_grad():
        out = low({n: v.to(torch.float16) if v.is_floating_point() else v.clone() for n, v in graph.items()}, compute_force=False)
    return out["energy"], scatters


def test_the_total_energy_leaves_float16_at_the_atom_that_is_told(tmp_path: Path) -> None:
    model = built("ScaleShiftMACE", atomic_energies=np.array([-10_000.0, -10_000.0]))
    place = tmp_path / "pair.xyz"
    pair = Atoms("HO", [[0.0, 0.0, 0.0], [0.1, 0.2, 0.95]])
    write(place, pair)
    run = session(model, tmp_path, str(place), ("float16", "bfloat16"))
    record = found(run, "model")["forward", "float16"]
    assert record.verdict == "pass"
    assert "out.energy would overflow in float16 from 7 atoms on: it grows in proportion to atoms (here 2 atoms)" in record.note
    assert "atoms on" not in found(run, "model")["forward", "bfloat16"].note  # holds 3e38
    assert "out would overflow in float16 from 7 atoms on" in found(run, "energy_sum")["forward", "float16"].note
    assert tensor(found(run, "atomic_energies_fn")["forward", "float16"], "out").reach[0].power == 0.0
    six = more_atoms([pair], 3, 4.0)[0]
    seven = six + Atoms("H", [[-20.0, 0.0, 0.0]])
    for frame, finite in ((six, True), (seven, False)):
        energy, _ = in_float16(model, make_graph([frame], ELEMENTS, 4.0))
        assert bool(energy.isfinite().all()) is finite, len(frame)


def test_a_sum_of_messages_leaves_float16_with_the_neighbours_that_are_told(tmp_path: Path, sound: Session) -> None:
    model = built("ScaleShiftMACE")
    most = tensor(found(sound, "interactions.0.scatter")["forward", "float16"], "out").largest
    with torch.no_grad():
        model.get_submodule("interactions.0.linear_up").weight.mul_(2e4 / (most or 1.0))  # linear: so are messages
    run = session(model, tmp_path)
    record = found(run, "interactions.0.scatter")["forward", "float16"]
    reach = next(r for r in tensor(record, "out").reach if r.by == "neighbours")
    assert reach.power == 1.0 and reach.now and reach.end == pytest.approx(reach.now * FLOAT16.largest / 2e4, rel=1e-3)
    assert "out would overflow in float16 from" in record.note and "in proportion to neighbours" in record.note
    graph = run.graph(WATER)
    for times in (2, 3, 4):
        _, (first, *_) = in_float16(model, more_neighbours(graph, times))
        assert bool(first.isfinite().all()) is (times * reach.now < reach.end), times


def test_what_was_seen_to_overflow_is_told_as_seen(tmp_path: Path) -> None:
    """The symmetric contraction follows no one power of its neighbours."""
    model = built("ScaleShiftMACE", correlation=3)
    probe = session(model, tmp_path)
    sizes = {r.by: r for r in tensor(found(probe, "products.1.symmetric_contractions")["forward", "float16"], "out").reach}
    assert sizes["atoms"].power == 0.0 and sizes["neighbours"].power is None


def test_hidden_activations_near_the_end_are_told_and_those_beyond_refused_as_precision_does(tmp_path: Path, sound: Session) -> None:
    model = built("ScaleShiftMACE")
    block = "interactions.0.linear_up"
    most = tensor(found(sound, block)["forward", "float16"], "out").largest or 1.0
    for size, verdict in ((3e4, "pass"), (1e5, "unsupported")):
        folder = tmp_path / verdict
        folder.mkdir()
        large = copy.deepcopy(model)
        with torch.no_grad():
            large.get_submodule("node_embedding.linear").weight.mul_(size / most)
        run = session(large, folder, formats=("float16", "float32"))
        own = found(run, block)
        record = own["forward", "float16"]
        assert record.verdict == verdict and tensor(record, "out").largest == pytest.approx(size)
        assert tensor(record, "out").headroom == pytest.approx(np.log2(FLOAT16.largest / size))
        assert own["forward", "float32"].verdict == "pass"
        inside = found(run, "interactions.0")["forward", "float16"]
        assert inside.verdict in (verdict, "unsupported")  # further on it is larger still
        judged = run.check(WATER).replayed(CellKey(WATER, block, "e3nn", "float16", "forward"), FLOAT16)
        assert judged.verdict == verdict and (verdict == "pass" or judged.reason.startswith("range: "))
        assert verdict == "pass" or record.reason.partition("reaches ")[2] == judged.reason.partition("reach ")[2]


def test_gradients_that_are_mostly_below_the_normal_range_are_named(tmp_path: Path, sound: Session) -> None:
    model = built("ScaleShiftMACE")
    before = found(sound, "interactions.0.linear")["backward", "float16"]
    with torch.no_grad():
        model.scale_shift.scale.mul_(1e-6)  # type: ignore[operator,union-attr]
    run = session(model, tmp_path, formats=("float16", "bfloat16"))
    record = found(run, "interactions.0.linear")["backward", "float16"]
    own = tensor(record, "grad.out")
    assert (own.subnormal or 0.0) + (own.flushed or 0.0) > 0.9 and "below float16's normal range" in record.note and "normal range" not in before.note
    assert "normal range" not in found(run, "interactions.0.linear")["backward", "bfloat16"].note
    assert record.verdict == "pass"


def test_sound_models_are_not_red_and_say_what_they_have_none_of(sound: Session) -> None:
    run = sound
    keys = INSPECTION.keys(run)
    assert keys[-1].subject == "model" and len({key.id for key in keys}) == len(keys)
    records = [record for key in keys for record in INSPECTION.run(run, key)]
    assert {r.verdict for r in records} == {"pass", "unsupported"} and len({r.id for r in records}) == len(records)
    assert {r.reason for r in records if r.verdict == "unsupported"} == {"no gradient flows through it"}
    assert all(r.ratio is not None and 0 < r.ratio < 1 for r in records if r.verdict == "pass")
    assert not any("in.positions" in r.note or "in.shifts" in r.note for r in records if r.variant == "forward")


def test_a_structure_that_is_too_large_to_be_enlarged_says_only_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpcheck.checks.ranges.growth.MOST_BYTES", 10.0)
    run = session(built("ScaleShiftMACE"), tmp_path)
    energy = tensor(found(run, "model")["forward", "float16"], "out.energy").reach
    assert [(r.by, r.power, r.known) for r in energy] == [("atoms", 1.0, True)]
    assert tensor(found(run, "interactions.0.scatter")["forward", "float16"], "out").reach == []


def test_what_a_batch_of_structures_ends_at_are_atoms_of_one(tmp_path: Path) -> None:
    place = tmp_path / "two.xyz"
    one = Atoms("HO", [[0.0, 0.0, 0.0], [0.1, 0.2, 0.95]])
    write(place, [one, more_atoms([one], 2, 4.0)[0]])
    run = session(built("ScaleShiftMACE", atomic_energies=np.array([-10_000.0, -10_000.0])), tmp_path, f"{place}@:")
    assert "from 7 atoms on: it grows in proportion to atoms (here 4 atoms)" in found(run, "model")["forward", "float16"].note
