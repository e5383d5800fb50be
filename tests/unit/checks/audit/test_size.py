"""The size check passes on sound blocks on both backends, sees wrong rows wherever they are, and tells rows from sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ase import Atoms
from ase.io import write

from mpcheck.adapters.upstream import o3
from mpcheck.checks.audit import size, supercell
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Options, Session
from tests import inspections

WATER = "builtin:water:3"
BLOCKS = ("readouts.1.linear_1", "edge_vectors", "interactions.0.scatter", "scale_shift")


@pytest.fixture(scope="module")
def water(cache: Any) -> Session:
    return Session(Options(model="builtin:hco", systems=(WATER,), blocks=BLOCKS, cache=cache))


def of(water: Session, block: str, backend: str = "e3nn", fmt: str = "float32") -> dict[str, Record]:
    return {r.variant: r for r in inspections.run("audit", water, Key("size", block, backend, fmt, WATER))}


def test_every_block_is_asked_in_both_formats_and_a_crystal_of_every_backend(water: Session) -> None:
    keys = inspections.keys("audit", water, ["size"])
    assert {(k.subject, k.backend, k.format) for k in keys if k.system} == {
        (b, e, f) for b in BLOCKS for e in ("e3nn", "cueq") for f in ("float64", "float32")
    }
    assert [k.id for k in keys if not k.system] == ["size-supercell-e3nn-float64", "size-supercell-cueq-float64"]


@pytest.mark.parametrize("backend", ["e3nn", "cueq"])
@pytest.mark.parametrize("fmt", ["float64", "float32"])
def test_sound_blocks_pass(water: Session, backend: str, fmt: str) -> None:
    for block in ("readouts.1.linear_1", "edge_vectors", "scale_shift"):
        found = of(water, block, backend, fmt)
        assert {n: (r.verdict, r.reason) for n, r in found.items()} == dict.fromkeys((size.ABOUT_POWERS, size.BEYOND), ("pass", ""))
        assert found[size.BEYOND].figures["rows"] > 65_536 and found[size.ABOUT_POWERS].figures["zero_rows"] == "allowed"


def test_sums_are_no_rows(water: Session) -> None:
    (record,) = of(water, "interactions.0.scatter").values()
    assert record.verdict == "unsupported" and "not rows" in record.reason


def test_sums_are_no_rows_where_there_are_as_many_graphs_as_atoms(cache: Any, tmp_path: Path) -> None:
    """The sum over the one atom of a primitive cell gives one number, as a row of its own would."""
    lattice = str(tmp_path / "one.extxyz")
    write(lattice, Atoms("C", positions=[[0, 0, 0]], cell=[2.3, 2.5, 2.6], pbc=True))
    alone = Session(Options(model="builtin:hco", systems=(lattice,), backends=("e3nn",), blocks=("energy_sum",), cache=cache))
    (found,) = inspections.run("audit", alone, Key("size", "energy_sum", "e3nn", "float32", lattice))
    assert found.verdict == "unsupported", found.reason


def test_what_takes_too_much_memory_says_so(water: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert of(water, "readouts.1.linear_1")[size.BEYOND].figures["backward"] is True
    monkeypatch.setattr(size, "MOST_BYTES", 3e7)
    assert of(water, "readouts.1.linear_1")[size.BEYOND].figures["backward"] is False
    monkeypatch.setattr(size, "MOST_BYTES", 1e6)
    found = of(water, "readouts.1.linear_1")
    assert found[size.ABOUT_POWERS].verdict == "pass"
    assert found[size.BEYOND].verdict == "unsupported" and "GB at most" in found[size.BEYOND].reason


def narrow(out: torch.Tensor) -> torch.Tensor:
    at = torch.arange(len(out)).to(torch.int16).long()
    return out[torch.where(at < 0, at + min(len(out), 2**16), at)]


def without_rest(width: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda out: torch.where(
        (torch.arange(len(out)) < len(out) // width * width)[:, None] | (torch.tensor(len(out)) < width), out, torch.zeros_like(out)
    )


def zeroed(row: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda out: torch.where(torch.arange(len(out))[:, None] == row, torch.zeros_like(out), out)


FAULTS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], tuple[str, ...]]] = {
    "indices of 16 bits": (narrow, (size.BEYOND,)),
    "rows beyond 65,535 are zero": (lambda out: torch.where(torch.arange(len(out))[:, None] >= 2**16, torch.zeros_like(out), out), (size.BEYOND,)),
    "the last tile is left out": (without_rest(32), (size.ABOUT_POWERS, size.BEYOND)),
    "the last row of a full tile": (lambda out: zeroed(127)(out) if len(out) == 128 else out, (size.ABOUT_POWERS,)),
    "one row alone": (lambda out: 2 * out if len(out) == 1 else out, (size.ABOUT_POWERS,)),
    "not a number": (lambda out: zeroed(65_540)(out) / (torch.arange(len(out))[:, None] != 65_540), (size.BEYOND,)),
    "the shape": (lambda out: out[:-1] if len(out) == 33 else out, (size.ABOUT_POWERS,)),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_wrong_rows_are_seen(water: Session, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change, red = FAULTS[kind]
    original = o3.Linear.forward

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        return change(original(self, *args, **kwargs))

    of(water, "readouts.1.linear_1")
    monkeypatch.setattr(o3.Linear, "forward", forward)
    found = of(water, "readouts.1.linear_1")
    failed = {n for n, r in found.items() if r.verdict == "fail"}
    if kind == "the shape":  # the backward pass then has cotangents of another shape, and the block raises
        assert [r.verdict for r in found.values()] == ["fail"]
    else:
        assert failed == set(red), {n: r.reason for n, r in found.items()}
        assert all("readouts.1.linear_1" in found[n].reason and "rows" in found[n].reason for n in red)


def test_the_choice_has_the_boundaries_and_the_end() -> None:
    chosen = size._compared(size.MANY, torch.Generator().manual_seed(0)).tolist()
    assert {127, 128, 32_767, 32_768, 65_534, 65_535, 65_536, size.MANY - 1} <= set(chosen) and len(chosen) < 2_000
    assert size._compared(33, torch.Generator()).tolist() == list(range(33))


def test_a_large_crystal_has_the_energy_of_its_cells(water: Session) -> None:
    found = {r.variant: r for r in inspections.run("audit", water, Key("size", "supercell", "e3nn", "float64"))}
    assert {n: r.verdict for n, r in found.items()} == {"atoms": "pass", "energy": "pass"}
    assert found["atoms"].figures["edges"] > 65_536


def test_a_large_crystal_with_lost_edges_is_red(water: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    original = supercell.evaluate

    def evaluate(model: Any, graph: Any, **flags: bool) -> Any:
        kept = torch.arange(graph["edge_index"].shape[1]) < 2**16
        return original(
            model, {**graph, "edge_index": graph["edge_index"][:, kept], **{n: graph[n][kept] for n in ("shifts", "unit_shifts")}}, **flags
        )

    monkeypatch.setattr(supercell, "evaluate", evaluate)
    found = {r.variant: r for r in supercell.supercell(water, Key("size", "supercell", "e3nn", "float64"))}
    assert {n: r.verdict for n, r in found.items()} == {"atoms": "fail", "energy": "fail"}
    assert "has another energy" in found["atoms"].reason and not math.isnan(found["energy"].ratio or 0.0)
