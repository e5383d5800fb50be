"""Every fault of the catalogue that a CPU can show turns its check red, names the block and leaves nothing behind."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._unsupported import Unsupported
from mpcheck.checks.physics.inputs import WARM_UP
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults.asserting import refused_in_one_line, torch_left_as_it_was
from tests.faults.catalogue import FILE, Fault, Plant, load_catalogue, plantings
from tests.faults.catalogue_runs import Seen, conclude
from tests.faults.patches import PATCHES

LISTED = (
    *(f"A{i}" for i in range(1, 27)), *(f"B{i}" for i in range(1, 19)), *(f"C{i}" for i in range(1, 10)), *(f"D{i}" for i in range(1, 8)),
    *(f"E{i}" for i in range(1, 8)), "F1", "F2", "F5", "F6", "F7", "F8", "F10", *(f"F{i}" for i in range(18, 24)),
)  # fmt: skip
"""The ids of the list of known faults that the catalogue was made from."""


def _cases() -> Iterator[Any]:
    for plant_id, fault, plant in plantings():
        marks = [pytest.mark.slow] if plant.slow else [pytest.mark.smoke] if plant is fault.plants[0] else []
        yield pytest.param(fault, plant, marks=marks, id=f"{plant_id}-{plant.patch}")


@pytest.fixture(scope="module")
def clean(sessions: dict[str, Session]) -> Any:
    """What the suite concludes of a planting's piece of work without the fault, once for each."""
    held: dict[tuple[str, ...], Seen] = {}

    def call(plant: Plant) -> Seen:
        place = (plant.check, plant.subject, plant.backend, plant.format, plant.direction, plant.session, plant.variant)
        if place not in held:
            held[place] = conclude(sessions[plant.session], plant, fault=False)
        return held[place]

    return call


@pytest.mark.smoke
def test_every_listed_fault_has_its_entry() -> None:
    assert tuple(fault.id for fault in load_catalogue().faults) == LISTED


@pytest.mark.smoke
def test_every_patch_is_used() -> None:
    assert {plant.patch for fault in load_catalogue().faults for plant in fault.plants} == set(PATCHES)


@pytest.mark.parametrize(("fault", "plant"), list(_cases()))
def test_the_suite_sees_the_fault(fault: Fault, plant: Plant, sessions: dict[str, Session], clean: Any, tmp_path: Path) -> None:
    if plant.backend != "e3nn" and isinstance(reason := sessions[plant.session].backend("cueq"), Unsupported):
        pytest.skip(str(reason))
    before = clean(plant)
    assert before.verdict == plant.clean, f"{fault.id} without the fault: {before.verdict}, {before.reason}"
    seen = conclude(sessions[plant.session], plant, fault=True, cache=tmp_path)
    assert seen.verdict == plant.red, f"{fault.id} is not seen: {seen.verdict} {seen.reason}"
    assert any(fnmatchcase(name, plant.expected) for name in seen.blamed), f"{fault.id}: {plant.expected} is not named in: {seen.reason}"
    assert plant.says in seen.reason, f"{fault.id}: {plant.says!r} is not said in: {seen.reason}"


def outputs(model: torch.nn.Module, graph: dict[str, torch.Tensor]) -> str:
    """Digest of the bits of everything that a model gives back and of its parameters' types."""
    out = model(
        {k: v.clone() for k, v in graph.items()}, compute_virials=True, compute_stress=True, compute_atomic_stresses=True, compute_edge_forces=True
    )
    digest = hashlib.sha256()
    for name, value in sorted((k, v) for k, v in out.items() if isinstance(v, torch.Tensor)):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    digest.update(str([(n, t.dtype) for n, t in (*model.named_parameters(), *model.named_buffers())]).encode())
    return digest.hexdigest()


def models(session: Session, backends: set[str]) -> dict[str, torch.nn.Module]:
    """The whole models of a fault's available backends; e3nn's always."""
    twin = session.backend("cueq") if "cueq" in backends else None
    return {"e3nn": session.reference_backend.model} | ({} if twin is None or isinstance(twin, Unsupported) else {"cueq": twin.model})  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def untouched(session: Session) -> Callable[[str, torch.nn.Module], str]:
    """The digest of a model before any fault, after the calls in which TorchScript has optimised what it runs."""
    held: dict[str, str] = {}

    def call(name: str, model: torch.nn.Module) -> str:
        for _ in range(0 if name in held else WARM_UP + 1):
            held[name] = outputs(model, session.graph(SYSTEM))
        return held[name]

    return call


@pytest.mark.parametrize("name", sorted(PATCHES))
def test_nothing_is_left_behind(name: str, session: Session, untouched: Callable[[str, torch.nn.Module], str]) -> None:
    """After the fault, all that the models give back is what it was, bit by bit, and so are torch's settings."""
    plants = [p for f in load_catalogue().faults for p in f.plants if p.patch == name]
    wanted = models(session, {p.backend for p in plants})
    before = {backend: untouched(backend, model) for backend, model in wanted.items()}
    with torch_left_as_it_was():
        with PATCHES[name](session, **plants[0].arguments):
            for model in wanted.values():
                with contextlib.suppress(RuntimeError, ValueError):  # some faults leave nothing that runs
                    outputs(model, session.graph(SYSTEM))
        assert {backend: outputs(model, session.graph(SYSTEM)) for backend, model in wanted.items()} == before


BROKEN = {
    "neither plants nor cannot": ("cannot: a misunderstanding, not a fault of code", "cannot: ''", "one of the two"),
    "an id twice": ("- id: A2\n", "- id: A1\n", "two faults have the id A1"),
    "an unknown patch": ("patch: forces_of_zero", "patch: forces_of_one", "unknown patch 'forces_of_one'"),
    "an unknown check": ("check: cost", "check: price", "check"),
    "a field that is none": ("schema_version: 1", "schema_version: 1\nsimptom: 2", "simptom"),
    "a later schema": ("schema_version: 1", "schema_version: 2", "schema_version"),
    "out of order": ("- id: A2\n", "- id: A99\n", "keep the faults in the order"),
}


@pytest.mark.parametrize(("old", "new", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_catalogue_is_refused_in_one_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    refused_in_one_line(load_catalogue, FILE, tmp_path / "catalogue.yaml", old, new, says)
