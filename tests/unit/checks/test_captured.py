"""Recorded calls are judged: by their blocks, and by whether their graphs are what their structures ask for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from ase import Atoms

import mpcheck
from mpcheck._names import CAPTURED, PRECISION
from mpcheck.adapters.load import load_object
from mpcheck.adapters.upstream import default_dtype, quiet
from mpcheck.checks.captured import captured
from mpcheck.records.record import Record
from mpcheck.sessions.options import Options
from mpcheck.sessions.run import Session
from mpcheck.testing import assert_model
from tests.unit.recording.samples import R_MAX, calculator, dynamics, graph, recorded, small, water, without

SHORT = 0.8
"""Å, below every distance of the built-in water."""


def record_of(path: Path, cache: Path) -> Record:
    session = Session(replace(Options(), systems=(str(path),), cache=cache), load_object(small()))
    return captured(session, str(path))


def squeezed(factor: float) -> Atoms:
    """Water of a hot trajectory: its molecules' bonds are short."""
    atoms = water()
    for first in range(0, len(atoms), 3):
        centre = atoms.positions[first].copy()
        atoms.positions[first : first + 3] = centre + factor * (atoms.positions[first : first + 3] - centre)
    return atoms


def test_a_sound_driver_is_green_and_its_blocks_were_given_what_float64_computes(tmp_path: Path, cache: Path) -> None:
    for dtype, most in ((torch.float64, 1e-12), (torch.float32, 1e-4), (torch.bfloat16, 1.0)):
        record = record_of(recorded(tmp_path / "s.capture", graph(), graph(squeezed(0.9)), dtype=dtype), cache)
        assert (record.check, record.verdict, record.reason) == (CAPTURED, "pass", "")
        assert record.figures["inputs_compared_in_calls"] == 2.0
        assert record.figures["inputs_differ_by"] < most
        assert (record.figures["inputs_differ_by"] == 0.0) == (dtype == torch.float64)
        assert f"positions were given in {str(dtype).removeprefix('torch.')}" in record.note


def test_a_list_with_a_skin_is_sound(tmp_path: Path, cache: Path) -> None:
    record = record_of(recorded(tmp_path / "k.capture", graph(skin=0.5)), cache)
    assert record.verdict == "pass"
    assert "edges are longer than the cut-off" in record.note


def lengths(g: dict[str, torch.Tensor]) -> torch.Tensor:
    sender, receiver = g["edge_index"]
    return (g["positions"][receiver] - g["positions"][sender] + g["shifts"]).norm(dim=1)


def rows(g: dict[str, torch.Tensor], chosen: torch.Tensor) -> torch.Tensor:
    return torch.nonzero(chosen).flatten()


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (lambda g: rows(g, lengths(g) < 0.9 * R_MAX), "edges are missing"),
        (lambda g: rows(g, (g["unit_shifts"] == 0).all(dim=1)), "edges are missing"),
        (lambda g: rows(g, g["edge_index"][0] < g["edge_index"][1]), "are listed from their other end only"),
        (lambda g: torch.arange(-1, g["edge_index"].shape[1]).abs(), "listed more than once"),
    ],
)
def test_a_driver_with_a_wrong_list_is_red(keep: Any, said: str, tmp_path: Path, cache: Path) -> None:
    record = record_of(recorded(tmp_path / "w.capture", graph(), without(keep, graph())), cache)
    assert record.verdict == "fail"
    assert said in record.reason and "call 1" in record.reason and "call 0" not in record.reason


def test_shifts_that_are_not_the_cells_are_red(tmp_path: Path, cache: Path) -> None:
    """A barostat that moved the cell and not the shifts: without stress upstream reads these."""
    stale = graph()
    record = record_of(recorded(tmp_path / "b.capture", {**stale, "shifts": stale["shifts"] * 1.001}), cache)
    assert record.verdict == "fail"
    assert "shifts are not their unit_shifts times the cell" in record.reason


def test_inputs_of_blocks_that_the_graph_does_not_explain_are_told(tmp_path: Path, cache: Path) -> None:
    """Other weights, here. Numbers that are none are red."""
    other = record_of(recorded(tmp_path / "o.capture", model=small(weights_seed=9)), cache)
    assert other.verdict == "pass" and other.figures["inputs_differ_by"] > 0.01
    model = small()
    model.node_embedding.register_forward_hook(lambda module, args, out: out * float("nan"))
    broken = record_of(recorded(tmp_path / "n.capture", model=model), cache)
    assert broken.verdict == "fail"
    assert "was given numbers that are not finite" in broken.reason


def wrong_at_short_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    """In lower precision, radial features of edges below 0.8 Å are a thousandth off."""
    from mace.modules.blocks import RadialEmbeddingBlock

    right = RadialEmbeddingBlock.forward

    def wrong(self: Any, lengths: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        features, cutoff = right(self, lengths, *args, **kwargs)
        return (features * torch.where(lengths < SHORT, 1.001, 1.0).to(features) if features.dtype != torch.float64 else features), cutoff

    monkeypatch.setattr(RadialEmbeddingBlock, "forward", wrong)


def judged(system: str, cache: Path) -> list[Record]:
    return assert_model(
        small(), backends=("e3nn",), systems=(system,), formats=("float32",), blocks=("radial_embedding*",), checks=(PRECISION, CAPTURED), cache=cache
    )


def test_a_fault_that_only_a_real_trajectory_shows(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recorded(tmp_path / "hot.capture", graph(), graph(squeezed(0.75)))
    assert {r.verdict for r in judged(str(path), cache)} == {"pass"}
    wrong_at_short_distances(monkeypatch)
    assert {r.verdict for r in judged("builtin:water", cache)} == {"pass"}
    with pytest.raises(AssertionError, match="radial_embedding"):
        judged(str(path), cache)


def test_dynamics_of_upstreams_calculator_is_judged_green(tmp_path: Path, cache: Path) -> None:
    calc, path = calculator("float32"), tmp_path / "md.capture"
    with mpcheck.capture(calc, path, every=3):
        dynamics(calc)
    records = assert_model(
        "builtin:hco", backends=("e3nn", "cueq"), systems=(f"{path}@::2",), formats=("float32", "bfloat16"), checks=(PRECISION, CAPTURED),
        blocks=("radial_embedding*", "spherical_harmonics", "interactions.1*"), cache=cache,
    )  # fmt: skip
    assert {r.backend for r in records if r.verdict == "pass"} == {"e3nn", "cueq"}
    (own,) = (r for r in records if r.check == CAPTURED)
    assert own.verdict == "pass" and own.figures["inputs_differ_by"] < 1e-4


def test_symmetry_and_physics_take_recorded_structures(tmp_path: Path, cache: Path) -> None:
    path = recorded(tmp_path / "s.capture", graph(squeezed(0.9), water()[:6]))
    records = assert_model(small(), systems=(str(path),), formats=("float64", "float32"), checks=("equivariance", "layout", "graph"), cache=cache)
    assert {r.check for r in records if r.verdict == "pass"} >= {"equivariance", "graph"}


def test_a_converted_model_is_recorded_with_its_blocks(tmp_path: Path, cache: Path) -> None:
    """In cuEquivariance's layout root mean squares are the same: what its blocks were given is compared with e3nn's."""
    from mace.cli.convert_e3nn_cueq import run

    with default_dtype(torch.float64), quiet():  # upstream's conversion leaves torch's default type changed
        converted = run(small(), device="cpu", return_model=True)
    path = recorded(tmp_path / "q.capture", model=converted, dtype=torch.float32)
    record = record_of(path, cache)
    assert record.verdict == "pass"
    assert 0.0 < record.figures["inputs_differ_by"] < 1e-4
    assert record.figures["inputs_compared"] > 20
