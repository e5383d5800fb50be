"""What is recorded of a call: copies, within bounds, and never an error in somebody's script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import mpcheck
from mpcheck._errors import InputError
from mpcheck.recording.calls import block_inputs
from mpcheck.systems.recorded import NUMBERS, RecordedFile
from tests.unit.recording.samples import graph, recorded, resolve, small, water


def test_what_was_given_is_stored_as_it_was_in_its_own_type(tmp_path: Path) -> None:
    """Upstream writes strained positions and shifts into the dictionary that it is given."""
    given, model = graph(), small().float()
    narrow = {k: v.float() if v.is_floating_point() else v.clone() for k, v in given.items()}
    before = {k: v.clone() for k, v in narrow.items()}
    with mpcheck.capture(model, tmp_path / "c.capture"):
        model(narrow, compute_stress=True)
    stored = RecordedFile(tmp_path / "c.capture").call(0)
    for name in ("positions", "shifts", "unit_shifts", "cell", "edge_index", "batch", "ptr", "head"):
        assert stored[name].dtype == before[name].dtype
        assert torch.equal(stored[name], before[name]), name
    assert stored[NUMBERS].tolist() == water().numbers.tolist()


def test_calls_are_chosen_by_every_and_limit_and_bytes(tmp_path: Path) -> None:
    graphs = [graph() for _ in range(9)]
    file = RecordedFile(recorded(tmp_path / "a.capture", *graphs, every=2, limit=3))
    assert [call.step for call in file.header.calls] == [0, 2, 4]
    assert file.header.seen == 9
    size = sum(t.numel() * t.element_size() for t in file.call(0).values())
    file = RecordedFile(recorded(tmp_path / "b.capture", *graphs, most_bytes=2 * size))
    assert len(file.header.calls) == 2
    assert "bytes are stored at most" in file.header.ended


def test_nothing_recorded_is_one_line_and_no_file(tmp_path: Path) -> None:
    model = small()
    with pytest.raises(InputError, match="nothing was recorded and nothing is written: the model was not called"):
        _run(model, tmp_path / "n.capture")
    with pytest.raises(InputError, match="bytes are stored at most"), mpcheck.capture(model, tmp_path / "n.capture", most_bytes=10):
        model(graph())
    assert not list(tmp_path.iterdir())


def test_a_graph_that_cannot_be_recorded_ends_no_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that upstream's LAMMPS gives has vectors alone; an alchemical one has fractions of elements."""
    model = small()
    soft = {**graph(), "node_attrs": torch.full_like(graph()["node_attrs"], 0.5)}
    with mpcheck.capture(model, tmp_path / "s.capture"):
        first = model(soft)
        model(graph())
    assert torch.isfinite(first["energy"]).all()
    assert "1 of 2 calls could not be recorded: node_attrs are no rows of one element each" in capsys.readouterr().err
    assert [call.step for call in RecordedFile(tmp_path / "s.capture").header.calls] == [1]
    with pytest.raises(InputError, match="ML-IAP gives vectors alone"):
        _run(_TakesVectors(), tmp_path / "l.capture", {"vectors": torch.zeros(2, 3)})
    assert not (tmp_path / "l.capture").exists()


class _TakesVectors(torch.nn.Module):
    """A model as LAMMPS' ML-IAP calls it."""

    def __init__(self) -> None:
        super().__init__()
        self.atomic_numbers, self.r_max = torch.tensor([1, 8]), torch.tensor(4.0)

    def forward(self, data: Any) -> Any:
        return data


def _run(model: torch.nn.Module, path: Path, *graphs: Any, **how: Any) -> None:
    """Record a model's calls."""
    with mpcheck.capture(model, path, **how):
        for one in graphs:
            model(one)


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("md.xyz", {}, r"a file of recorded calls is called NAME.capture; name it md.capture"),
        ("md.capture", {"every": 0}, "every=0; give a whole number from 1"),
        ("md.capture", {"limit": 2.5}, "limit=2.5; give a whole number from 1"),
        ("file/md.capture", {}, "cannot write"),
    ],
)
def test_wrong_arguments_are_refused_before_the_script_runs(name: str, how: Any, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=said), mpcheck.capture(small(), tmp_path / name, **how):
        raise AssertionError("it ran")


def test_a_batch_of_several_structures_is_one_call(tmp_path: Path) -> None:
    one, two = water(), water()[:6]
    system = resolve(recorded(tmp_path / "t.capture", graph(one, two), graph(two)))
    assert [len(frame) for frame in system.frames] == [len(one), 6, 6]
    assert system.graph is not None
    assert system.graph["ptr"].tolist() == [0, len(one), len(one) + 6, len(one) + 12]


def test_figures_of_a_block_are_those_of_its_arguments_in_any_layout() -> None:
    block, values = torch.nn.Linear(2, 2), torch.tensor([[3.0, -4.0]])
    (figures,) = block_inputs("l", block, (values,), {})
    (turned,) = block_inputs("l", block, (values.flip(1),), {})
    assert figures == turned
    assert (figures.argument, figures.dtype, figures.largest) == ("input", "float32", 4.0)
    assert figures.rms == pytest.approx(12.5**0.5)
    (broken,) = block_inputs("l", block, (values / 0.0 * 0.0,), {})
    assert broken.rms is None
