"""Whole models in variants: sound ones pass, and what a compiler gets wrong is red with the variant's name."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._names import PRECISION, WHOLE
from mpcheck.adapters.backends.variant_model import VariantModel
from mpcheck.adapters.compiling import Compiled
from mpcheck.adapters.load import load_object
from mpcheck.adapters.scripting import ScriptedWhole
from mpcheck.formats import get_format
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.running.applied import PolicyModel
from mpcheck.records.record import Record
from mpcheck.sessions.precision import PrecisionOptions
from mpcheck.sessions.precision.variant import Structure, disagreement, fewer_atoms, structures
from mpcheck.sessions.precision.whole import model_in
from mpcheck.sessions.precision.work import PrecisionWork
from mpcheck.sessions.run import Session
from tests.unit.checks.uses.small_models import built

Change = Callable[[dict[str, Any], int, int], dict[str, Any]]
"""A wrong answer, of a right one, the number of atoms, and how many calls there were before."""


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Dynamo traces and differentiates as for its compiler, which takes minutes and is not asked here."""
    monkeypatch.setattr(VariantModel, "compiler", "aot_eager")
    yield
    torch._dynamo.reset()


def work(cache: Path, backends: tuple[str, ...], formats: tuple[str, ...] = ("float64",), system: str = "builtin:water") -> PrecisionWork:
    small = built("ScaleShiftMACE", max_ell=1, correlation=1, num_interactions=1, radial_MLP=[4])
    options = PrecisionOptions(model="small", systems=(system,), backends=backends, formats=formats, cache=cache)
    return PrecisionWork(options, Session(options, load_object(small, "small")))


def whole(made: PrecisionWork) -> dict[tuple[str, str], Record]:
    (piece,) = (p for p in made.pieces() if p.planned.check == WHOLE)
    return {(r.backend, r.format): r for r in made.records(piece)}


def spoil(monkeypatch: pytest.MonkeyPatch, kind: type[torch.nn.Module], change: Change) -> None:
    right, calls = kind.forward, [0]

    @functools.wraps(right)
    def wrong(self: torch.nn.Module, data: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> dict[str, Any]:
        out: dict[str, Any] = right(self, data, *args, **kwargs)
        calls[0] += 1
        return change(dict(out), len(data["positions"]), calls[0] - 1)

    monkeypatch.setattr(kind, "forward", wrong)


def test_sound_variants_pass_in_every_format_that_they_have(cache: Path) -> None:
    """What is compiled takes a minute for each number of atoms and format: in one of them here, as all go the same way."""
    formats = ("float64", "float32", "bfloat16", "tf32")
    records = whole(work(cache, ("e3nn+script", "e3nn+cudagraph"), formats)) | whole(work(cache, ("e3nn+compile",), ("float32", "tf32")))
    for (variant, fmt), record in records.items():
        if variant == "e3nn+cudagraph":
            assert (record.verdict, record.reason, record.lacking) == ("unsupported", "no CUDA device", "cuda")
        elif fmt == "tf32":
            assert record.verdict == "unsupported" and "emulated" in record.reason
        else:
            assert record.verdict == "pass" and record.subject == "model" and record.ratio is not None and record.ratio < 0.5, record.reason
    assert "aot_eager: 2 graphs" in records["e3nn+compile", "float32"].note


def twice(out: dict[str, Any], atoms: int, call: int) -> dict[str, Any]:
    return out | {"energy": out["energy"] + atoms % 2 * 1e-4 * out["node_energy"][-1]}


def even(out: dict[str, Any], atoms: int, call: int) -> dict[str, Any]:
    return out | {"energy": out["energy"] + (1 - atoms % 2) * 1e-4 * out["node_energy"][-1]}


def no_forces(out: dict[str, Any], atoms: int, call: int) -> dict[str, Any]:
    return out | {"forces": torch.zeros_like(out["forces"])}


def at_calls(chosen: Callable[[int], bool]) -> Change:
    return lambda out, atoms, call: out | ({"forces": out["forces"] * 1.001} if chosen(call) else {})


FAULTS: dict[str, tuple[Change, str]] = {
    "odd": (twice, r"call.*: energy of 33 atoms, an odd number, differs by"),
    "even": (even, r"call: energy of 32 atoms, an even number, differs by"),
    "forces": (no_forces, "first call: forces of"),
    "first": (at_calls(lambda call: call == 0), "first call: forces of 33 atoms"),
    "second": (at_calls(lambda call: call == 1), "second call: forces of 33 atoms"),
    "later": (at_calls(lambda call: call > 0), "forces of"),
    "anew": (at_calls(lambda call: call == 3), "first call: forces of 32 atoms"),
    "after": (at_calls(lambda call: call == 6), "call after another number of atoms: forces of 33 atoms"),
    "stress": (lambda out, atoms, call: out | {"stress": -out["stress"]}, "stress of"),
    "nan": (lambda out, atoms, call: out | {"energy": out["energy"] * (1.0 if call != 1 else float("nan"))}, "second call: energy of"),
}


class Spoilt(torch.nn.Module):
    """A model whose answers are changed."""

    def __init__(self, model: torch.nn.Module, change: Change) -> None:
        super().__init__()
        self.model, self.change, self.calls = model, change, 0

    def forward(self, data: dict[str, torch.Tensor], compute_force: bool = True, compute_stress: bool = False) -> dict[str, Any]:
        out: dict[str, Any] = self.model(data, compute_force=compute_force, compute_stress=compute_stress)
        self.calls += 1
        return self.change(out, len(data["positions"]), self.calls - 1)


Known = tuple[Session, list[Structure]]


@pytest.fixture(scope="module")
def known(cache: Path) -> Known:
    session = work(cache, ("e3nn",)).session
    graph = session.graph("builtin:water")
    return session, structures(session, "builtin:water", graph, torch.tensor([True]))


@pytest.mark.parametrize("fmt", ["float64", "float32"])
@pytest.mark.parametrize("fault", [*FAULTS, ""])
def test_what_one_call_or_one_number_of_atoms_gets_wrong_is_red(known: Known, fault: str, fmt: str) -> None:
    session, given = known
    change, message = FAULTS[fault] if fault else (lambda out, atoms, call: out, "")
    made = model_in(session, "e3nn", get_format(fmt))
    assert isinstance(made, PolicyModel)
    made.model = Spoilt(made.model, change)
    first = evaluate(made, given[0].graph, "cpu", given[0].periodic)
    told = disagreement(made, given, first, get_format(fmt), torch.device("cpu"), "e3nn+compile")
    if fault:
        assert told["verdict"] == "fail" and re.search(message, told["reason"]), told
    else:
        assert "verdict" not in told and told["ratio"] < 0.5


@pytest.mark.parametrize(("variant", "kind"), [("e3nn+script", ScriptedWhole), ("e3nn+compile", Compiled)])
def test_what_a_variant_gets_wrong_names_it(variant: str, kind: type[torch.nn.Module], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, kind, twice)
    record = whole(work(cache, (variant,)))[variant, "float64"]
    assert record.verdict == "fail" and record.backend == variant and record.subject == "model", record
    assert re.search(FAULTS["odd"][1], record.reason), record.reason


def test_a_variant_that_runs_eagerly_is_degraded(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)
    made = work(cache, ("e3nn+compile",))
    record = whole(made)["e3nn+compile", "float64"]
    assert record.verdict == "degraded" and "no compiled code ran" in record.reason and record.red and record.lacking == "e3nn+compile"
    cells = [p for p in made.pieces() if p.planned.check == PRECISION and p.planned.subject == "interactions.0.linear"]
    assert [r.verdict for p in cells for r in made.records(p)] == ["degraded"] * 2


def test_scripts_that_are_none_are_degraded(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = work(cache, ("e3nn+script",))
    monkeypatch.setattr("e3nn.util.jit.compile", lambda module: module)
    monkeypatch.setattr(torch.jit, "script", lambda module: module)
    record = whole(made)["e3nn+script", "float64"]
    assert record.verdict == "degraded" and "is no TorchScript" in record.reason


def test_blocks_run_in_their_variant(cache: Path) -> None:
    made = work(cache, ("e3nn+script", "e3nn+compile"), ("bfloat16",))
    told: dict[tuple[str, str, str], str] = {}
    for piece in made.pieces():
        if piece.planned.check == PRECISION and piece.planned.subject in ("interactions.0", "interactions.0.linear", "energy_sum"):
            (record,) = made.records(piece)
            told[record.subject, record.backend, record.format + record.variant] = record.verdict
    assert {v for (b, _, _), v in told.items() if b == "interactions.0.linear"} == {"pass"}
    assert {v for (b, n, _), v in told.items() if b == "interactions.0" and n == "e3nn+script"} == {"pass"}
    assert {v for (b, n, _), v in told.items() if b == "interactions.0" and n == "e3nn+compile"} == {"unsupported"}
    assert {v for (b, _, _), v in told.items() if b == "energy_sum"} == {"unsupported"}


def test_one_atom_less(cache: Path) -> None:
    session = work(cache, ("e3nn",)).session
    graph = session.graph("builtin:water")
    fewer = fewer_atoms(session, "builtin:water", graph)
    part = fewer_atoms(session, "builtin:water", dict(graph))  # as of a part that is no system
    assert fewer is not None and part is not None
    assert {n: t.shape for n, t in fewer.items()} == {n: t.shape for n, t in part.items()} and len(fewer["positions"]) == 32
    for name, tensor in fewer.items():
        assert torch.allclose(tensor.to(torch.float64), part[name].to(torch.float64)), name
    alone = {**graph, "ptr": torch.arange(34)}
    assert fewer_atoms(session, "builtin:water", alone) is None
