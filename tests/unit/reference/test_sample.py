"""Rows of a block's arguments: a smaller call of the same block, and of no block whose rows are not each for themselves."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mpcheck.adapters.blocks import Block
from mpcheck.adapters.slots import Slot
from mpcheck.adapters.steps import step_block
from mpcheck.reference import sample
from mpcheck.reference.sample import Kept, SystemSample, widths_of
from mpcheck.sessions.run import Options, Session

ATOMS, EDGES = 20, 140
cut_module = importlib.import_module("mpcheck.reference.cut")


@pytest.fixture(scope="module")
def graph() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    receiver = torch.arange(ATOMS).repeat_interleave(EDGES // ATOMS)
    return {
        "positions": torch.rand(ATOMS, 3, generator=generator, dtype=torch.float64), "shifts": torch.zeros(EDGES, 3, dtype=torch.float64),
        "edge_index": torch.stack([torch.randint(ATOMS, (EDGES,), generator=generator), receiver]),
        "node_attrs": torch.eye(2, dtype=torch.float64)[torch.arange(ATOMS) % 2], "batch": torch.zeros(ATOMS, dtype=torch.long),
        "ptr": torch.tensor([0, ATOMS]),
    }  # fmt: skip


BLOCK = Block("b", "leaf", "linear", "Linear", {}, {}, 0)


def taken(graph: dict[str, torch.Tensor], block: Block, skeleton: object, tensors: dict[str, torch.Tensor], most: int, width: int = 1) -> Kept:
    kept = SystemSample(graph, 0, most, most).of(block, skeleton, tensors, width)
    assert kept is not None
    return kept


def test_a_sum_into_atoms_is_as_long_as_it_was(graph: dict[str, torch.Tensor]) -> None:
    src, index = torch.randn(EDGES, 50, dtype=torch.float64), graph["edge_index"][1]
    skeleton = {"dim": 0, "dim_size": ATOMS}
    kept = taken(graph, step_block("interactions.0.scatter"), skeleton, {"src": src, "index": index}, 5 * 7 * 50)
    small, left = kept.inputs({"src": src, "index": index}), kept.skeleton(skeleton, ATOMS)
    assert left == {"dim": 0, "dim_size": 5} and small["src"].shape == (35, 50)
    whole = torch.zeros(ATOMS, 50, dtype=torch.float64).index_add_(0, index, src)
    part = torch.zeros(5, 50, dtype=torch.float64).index_add_(0, small["index"], small["src"])
    assert torch.equal(part, kept.output(whole))
    assert kept.complete(ATOMS, part) is not part and torch.equal(kept.complete(ATOMS, part), part), "all of it"


def test_a_message_passing_block_keeps_whole_neighbourhoods_of_its_first_atoms(graph: dict[str, torch.Tensor]) -> None:
    feats, lengths = torch.randn(ATOMS, 4, dtype=torch.float64), torch.randn(EDGES, 1, dtype=torch.float64)
    tensors = {"node_feats": feats, "edge_feats": lengths, "edge_index": graph["edge_index"]}
    kept = taken(graph, BLOCK, {}, tensors, 5 * 7 * 100, width=100)
    small = kept.inputs(tensors)

    def call(given: dict[str, torch.Tensor]) -> torch.Tensor:
        sender, receiver = given["edge_index"]
        return given["node_feats"] + torch.zeros_like(given["node_feats"]).index_add_(0, receiver, given["node_feats"][sender] * given["edge_feats"])

    before, after = kept.output(call(tensors)), call(small)
    assert small["edge_index"].shape == (2, 35) and len(after) == len(before) <= ATOMS
    assert torch.equal(kept.complete(ATOMS, before), kept.complete(ATOMS, after)) and len(kept.complete(ATOMS, after)) == 5
    assert not torch.equal(before, after), "the others lack neighbours"


@pytest.mark.parametrize(("count", "rows"), [(EDGES, 32), (ATOMS, 12), (5000, 32), (30, None)])
def test_rows_for_themselves(count: int, rows: int | None, graph: dict[str, torch.Tensor]) -> None:
    kept = SystemSample(graph, 0, 1000, 1000).of(BLOCK, {}, {"x": torch.randn(count, 100, dtype=torch.float64)}, 1)
    assert (kept and {n: len(r) for n, r in kept.rows.items()}) == (rows and {count: rows})
    if kept:
        chosen = kept.rows[count]
        assert torch.equal(chosen, chosen.unique()) and chosen.max() > count // 2, "from all of them"


def test_what_is_small_is_kept_whole(graph: dict[str, torch.Tensor]) -> None:
    system = SystemSample(graph, 0)
    for skeleton, tensors in (
        ({}, {"x": torch.randn(EDGES, 100)}),
        ({"dim_size": ATOMS}, {"src": torch.randn(EDGES, 100), "index": graph["edge_index"][1]}),
        ({}, {"node_feats": torch.randn(ATOMS, 9), "edge_index": graph["edge_index"]}),
    ):
        assert system.of(BLOCK, skeleton, tensors, 100) is None


def test_nobody_guesses(graph: dict[str, torch.Tensor]) -> None:
    """As many atoms as edges; a sum into something else; arguments of two lengths."""
    alike = {**graph, "edge_index": graph["edge_index"][:, :ATOMS], "shifts": graph["shifts"][:ATOMS]}
    assert SystemSample(alike, 0, 1, 1).of(BLOCK, {}, {"x": torch.randn(ATOMS, 9)}, 1) is None
    system = SystemSample(graph, 0, 1, 1)
    assert system.of(BLOCK, {"dim_size": 3}, {"src": torch.randn(EDGES, 9), "index": graph["edge_index"][1]}, 1) is None
    assert system.of(BLOCK, {}, {"x": torch.randn(ATOMS, 9), "y": torch.randn(EDGES, 9)}, 1) is None


@pytest.fixture(scope="module")
def part(graph: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Atoms beyond the eighth have no neighbours."""
    kept = graph["edge_index"][1] < 8
    return {**graph, "edge_index": graph["edge_index"][:, kept], "shifts": graph["shifts"][kept]}


def test_no_sample_has_rows_of_the_rim_of_a_part(part: dict[str, torch.Tensor]) -> None:
    system, edges = SystemSample(part, 0, cut=True), part["edge_index"].shape[1]
    rows = system.of(BLOCK, {}, {"x": torch.randn(ATOMS, 3)}, 1)
    assert rows is not None and rows.rows[ATOMS].tolist() == list(range(8)), "however small the tensor"
    few = SystemSample(part, 0, 32 * 9, 32 * 9, cut=True).of(BLOCK, {}, {"x": torch.randn(edges, 9)}, 1)
    told = int((part["edge_index"][0] < 8).sum())
    assert few is not None and len(few.rows[edges]) == 32
    if told < 32:
        assert set(torch.nonzero(part["edge_index"][0] < 8).flatten().tolist()) <= set(few.rows[edges].tolist())
    total = system.of(step_block("energy_sum"), {"dim": 0, "dim_size": 1}, {"src": torch.randn(ATOMS), "index": part["batch"]}, 1)
    assert total is not None and total.rows[ATOMS].tolist() == list(range(8))
    assert total.complete(ATOMS, torch.ones(1)).numel() == 0, "another sum than it was"
    whole = SystemSample(part, 0)
    assert whole.of(BLOCK, {}, {"x": torch.randn(ATOMS, 3)}, 1) is None, "a structure's own isolated atoms are judged"
    assert whole.of(step_block("energy_sum"), {"dim_size": 1}, {"src": torch.randn(ATOMS), "index": part["batch"]}, 1) is None


def test_atoms_whose_neighbours_have_neighbours_come_first(part: dict[str, torch.Tensor]) -> None:
    sender, receiver = part["edge_index"]
    fed = [float((sender[receiver == atom] < 8).double().mean()) for atom in range(8)]
    order = SystemSample(part, 0, cut=True).by_atom.tolist()
    assert sorted(order) == list(range(8)) and fed[order[0]] >= max(fed) - 0.25 and fed[order[-1]] <= min(fed) + 0.25


def test_widths(session: Session) -> None:
    model = session.model.module
    widths = widths_of(model)
    conv = model.get_submodule("interactions.1.conv_tp")
    assert widths["interactions.1.conv_tp"] == conv.irreps_out.dim
    assert widths["products.0.symmetric_contractions"] > 2 * widths["products.0.linear"], "what is made on the way"
    assert widths["interactions.1"] >= conv.irreps_out.dim, "what is inside a composite counts"
    slots = {"x": Slot("3x1o", "flat")}
    assert sample._width(Block("b", "leaf", "linear", "Linear", slots, {"out": Slot("2x0e+4x2e", "channels")}, 0)) == 22


def options(cache: Path, **more: str) -> Options:
    return Options(systems=("builtin:water",), backends=("e3nn",), formats=("float32",), cache=cache, **more)  # type: ignore[arg-type]


SCATTER, CONV, INTERACTION = "interactions.1.scatter", "interactions.1.conv_tp", "interactions.1"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So little room that the built-in model's blocks are sampled."""
    made = SystemSample.__init__
    with monkeypatch.context() as patched:
        patched.setattr(SystemSample, "__init__", lambda self, graph, seed, *_, **more: made(self, graph, seed, 2**12, 2**12, **more))
        yield


@pytest.mark.usefixtures("few")
def test_blocks_of_a_model_are_judged_on_a_sample(tmp_path: Path) -> None:
    session = Session(options(tmp_path))
    library = session.library("builtin:water")
    entries = library.index["entries"]
    assert not any(entry["unsteady"] for entry in entries.values())
    rows = {name: entry["rows"] for name, entry in entries.items() if entry["rows"]}
    assert {SCATTER, CONV, INTERACTION} <= set(rows)
    whole = Session(options(tmp_path, rows="all")).library("builtin:water")
    assert whole.spec.key != library.spec.key and not any(entry.get("rows") for entry in whole.index["entries"].values())
    for name in (SCATTER, CONV, INTERACTION):
        mine, theirs = library.get(name), whole.get(name)
        assert sum(t.numel() for t in mine.values.values()) < sum(t.numel() for t in theirs.values.values())
        edge = next(n for n, t in mine.inputs.items() if len(t) == rows[name]["edges"] and t.is_floating_point())
        known = {tuple(row) for row in theirs.inputs[edge].reshape(len(theirs.inputs[edge]), -1).tolist()}
        assert {tuple(row) for row in mine.inputs[edge].reshape(len(mine.inputs[edge]), -1).tolist()} <= known, "rows of the system"
    assert "blocks with large tensors on a sample of their rows (--rows all: on all)" in session.sampled("builtin:water")
    assert Session(options(tmp_path)).sampled("builtin:water"), "also in the process that writes the records, where workers have judged"
    assert not Session(options(tmp_path / "empty")).sampled("builtin:water"), "nothing was captured, and nothing is"
    check = session.check("builtin:water")
    cells = [key for key in session.cells() if key.block in (SCATTER, CONV, INTERACTION)]
    assert len(cells) == 6
    for key in cells:
        assert check.replayed(key, session.formats[0]).verdict == "pass"


LARGE = "builtin:diamond:3"


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_module.cut, "__defaults__", (1500,))


@pytest.mark.usefixtures("small_parts")
def test_a_part_s_sums_of_energies_are_sound(tmp_path: Path) -> None:
    """The rim's atoms have equal energies, which upstream adds one after another: no fault of the structure that is judged."""
    session = Session(replace(options(tmp_path), systems=(LARGE,)))
    check = session.check(LARGE)
    assert check.library.index["part"]["edges"] <= 1500 < session.graph(LARGE)["edge_index"].shape[1]
    for key in [k for k in session.cells() if k.block.startswith(("energy_sum", "products.0", "interactions.1.scatter"))]:
        assert check.replayed(key, session.formats[0]).verdict == "pass", key
    assert "on a part of it with" in session.sampled(LARGE)


@pytest.mark.usefixtures("small_parts")
def test_a_model_that_divides_by_the_number_of_neighbours_gets_all_of_the_structure(tmp_path: Path) -> None:
    session = Session(replace(options(tmp_path), systems=(LARGE,)))
    module = session.reference_backend.model.get_submodule(INTERACTION)

    def mean(module: torch.nn.Module, args: object, kwargs: dict[str, torch.Tensor], out: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        count = torch.bincount(kwargs["edge_index"][1], minlength=len(out[0])).to(out[0])
        return (out[0] / count[:, None, None], *out[1:])

    handle = module.register_forward_hook(mean, with_kwargs=True)
    try:
        index = session.library(LARGE).index
    finally:
        handle.remove()
    assert index["part"]["edges"] == session.graph(LARGE)["edge_index"].shape[1] > 1500
    assert not any(entry["unsteady"] for entry in index["entries"].values())


@contextlib.contextmanager
def coupled(session: Session, block: str) -> Iterator[None]:
    """A block whose every row depends on all of them."""
    module = session.reference_backend.model.get_submodule(block)
    handle = module.register_forward_hook(lambda m, args, out: out + 1e-3 * out.mean())
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.usefixtures("few")
def test_rows_that_depend_on_each_other_are_judged_together(tmp_path: Path) -> None:
    session = Session(options(tmp_path))
    with coupled(session, CONV):
        entries = session.library("builtin:water").index["entries"]
    assert entries[CONV]["rows"] is None and not entries[CONV]["unsteady"]
    assert entries[INTERACTION]["rows"] is None, "it holds the block"
    assert entries[SCATTER]["rows"]


@pytest.mark.usefixtures("few")
def test_a_first_call_that_is_wrong_is_none_of_a_coupled_block(tmp_path: Path) -> None:
    session = Session(options(tmp_path))
    calls = []

    def first_alone(module: torch.nn.Module, args: object, out: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return out * 1.01 if len(calls) == 1 else out

    handle = session.reference_backend.model.get_submodule(CONV).register_forward_hook(first_alone)
    try:
        entries = session.library("builtin:water").index["entries"]
    finally:
        handle.remove()
    assert "differs by" in entries[CONV]["unsteady"]


@pytest.mark.usefixtures("few")
def test_a_planted_fault_in_one_row_of_many_is_seen_where_the_sample_has_it(tmp_path: Path) -> None:
    session = Session(options(tmp_path))
    check = session.check("builtin:water")
    key = next(k for k in session.cells() if k.block == CONV and k.direction == "forward")
    check.library.get(CONV)
    module = session.reference_backend.model.get_submodule(CONV)

    def wrong(module: torch.nn.Module, args: object, out: torch.Tensor) -> torch.Tensor:
        out = out.clone()
        out[3] *= 1.001
        return out

    handle = module.register_forward_hook(wrong)
    try:
        assert check.replayed(key, session.formats[0]).verdict == "fail"
    finally:
        handle.remove()
