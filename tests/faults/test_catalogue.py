"""Every fault of the catalogue that a CPU can show turns its check red, names the block and leaves nothing behind."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.adapters.casting import replaced, to_dtype
from mpcheck.adapters.upstream import e3nn_nn
from mpcheck.checks.physics.inputs import WARM_UP
from mpcheck.session import Options, Session
from tests.faults.catalogue import FILE, Fault, Plant, load_catalogue
from tests.faults.catalogue_runs import Seen, conclude
from tests.faults.patches import PATCHES

LISTED = (
    *(f"A{i}" for i in range(1, 26)), *(f"B{i}" for i in range(1, 19)), *(f"C{i}" for i in range(1, 10)), *(f"D{i}" for i in range(1, 8)),
    *(f"E{i}" for i in range(1, 8)),
)  # fmt: skip
"""The ids of the list of known faults that the catalogue was made from."""
WATER = "builtin:water"
CUEQ_PATCHES = ("silently_the_reference",)  # those that change a built twin, which takes seconds to build


def _cases() -> Iterator[Any]:
    for fault in load_catalogue().faults:
        for number, plant in enumerate(fault.plants):
            marks = [pytest.mark.slow] if plant.slow else []
            if plant.unseen:
                marks.append(pytest.mark.xfail(strict=True, raises=AssertionError, reason=plant.unseen))
            yield pytest.param(fault, plant, marks=marks, id=f"{fault.id}{chr(97 + number) if len(fault.plants) > 1 else ''}-{plant.patch}")


@pytest.fixture(scope="module")
def sessions(session: Session, cache: Path) -> dict[str, Session]:
    """The shared session, and one for each other system that a fault needs; its blocks are not judged, so that nothing is built."""
    systems = {p.system for f in load_catalogue().faults for p in f.plants} - set(session.systems)
    return dict.fromkeys(session.systems, session) | {
        s: Session(Options(systems=(s,), backends=("e3nn",), cache=cache, blocks=("edge_vectors",))) for s in systems
    }


@pytest.fixture(scope="module")
def clean(sessions: dict[str, Session]) -> Any:
    """What the suite concludes of a planting's piece of work without the fault, once for each."""
    held: dict[tuple[str, ...], Seen] = {}

    def call(plant: Plant) -> Seen:
        place = (plant.check, plant.subject, plant.backend, plant.format, plant.direction, plant.system, plant.variant)
        if place not in held:
            held[place] = conclude(sessions[plant.system], plant, fault=False)
        return held[place]

    return call


def test_every_listed_fault_has_its_entry() -> None:
    assert tuple(fault.id for fault in load_catalogue().faults) == LISTED


def test_every_patch_is_used() -> None:
    assert {plant.patch for fault in load_catalogue().faults for plant in fault.plants} == set(PATCHES)


@pytest.mark.parametrize(("fault", "plant"), list(_cases()))
def test_the_suite_sees_the_fault(fault: Fault, plant: Plant, sessions: dict[str, Session], clean: Any, tmp_path: Path) -> None:
    if plant.backend != "e3nn" and isinstance(reason := sessions[plant.system].backend("cueq"), str):
        pytest.skip(reason)
    before = clean(plant)
    if before.verdict != plant.clean:  # not an assertion: an expected failure to see the fault must not hide it
        raise RuntimeError(f"{fault.id} without the fault: {before.verdict}, {before.reason}")
    seen = conclude(sessions[plant.system], plant, fault=True, cache=tmp_path)
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


@pytest.fixture(scope="module")
def untouched(session: Session) -> str:
    """The digest before any fault, after the calls in which TorchScript has optimised what it runs."""
    for _ in range(WARM_UP):
        outputs(session.reference_backend.model, session.graph(WATER))
    return outputs(session.reference_backend.model, session.graph(WATER))


@pytest.mark.parametrize("name", sorted(PATCHES))
def test_nothing_is_left_behind(name: str, session: Session, untouched: str) -> None:
    """After the fault, all that the model gives back is what it was, bit by bit, and so are torch's settings."""
    if name in CUEQ_PATCHES and isinstance(reason := session.backend("cueq"), str):
        pytest.skip(reason)
    plant = next(p for f in load_catalogue().faults for p in f.plants if p.patch == name)
    settings = torch.get_default_dtype(), torch.is_autocast_enabled("cpu"), torch.get_rng_state()
    model, graph = session.reference_backend.model, session.graph(WATER)
    with PATCHES[name](session, **plant.arguments):
        outputs(model, graph)
    assert outputs(model, graph) == untouched
    assert (torch.get_default_dtype(), torch.is_autocast_enabled("cpu")) == settings[:2]
    assert torch.equal(torch.get_rng_state(), settings[2])


def _silu(session: Session) -> torch.Tensor:
    net = copy.deepcopy(session.reference_backend.model.get_submodule("interactions.0.conv_tp_weights")).float()
    x = torch.full((1, 8), 1e3, requires_grad=True)
    (first,) = torch.autograd.grad((net(x) + net(-x)).sum(), x, create_graph=True)
    assert bool(torch.isfinite(first).all())
    return torch.autograd.grad(first.sum(), x)[0]


def _activations(session: Session) -> torch.Tensor:
    return e3nn_nn.Activation("1x0e + 1x0e", [torch.tanh, torch.tanh])(torch.ones(1, 2))  # type: ignore[no-any-return]


def _ghosts(session: Session) -> torch.Tensor:
    return session.reference_backend.model.interactions[0].truncate_ghosts(torch.arange(3.0), 2).sum()  # type: ignore[union-attr,index,no-any-return]


def _vertical(session: Session) -> torch.Tensor:
    x = torch.tensor([[0.0, 1.5, 0.0]], dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(session.reference_backend.model.get_submodule("spherical_harmonics")(x).sum(), x)[0]


def _strided_cell(session: Session) -> torch.Tensor:
    graph = {k: v.clone() for k, v in session.graph(WATER).items()}
    graph["cell"] = graph["cell"].t().contiguous().t()
    return session.reference_backend.model(graph, compute_stress=True)["stress"]  # type: ignore[no-any-return]


def _calls(session: Session) -> torch.Tensor:
    graph = {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in session.graph(WATER).items()}
    model = session.reference_backend.model
    with replaced(model, to_dtype(torch.float32)):
        return torch.cat([model(dict(graph), compute_force=False)["energy"] for _ in range(20)]).double()


def _first_call(session: Session) -> torch.Tensor:
    began = time.perf_counter()
    session.reference_backend.model.get_submodule("products.0.linear")(torch.zeros(7, 64, dtype=torch.float64))
    return torch.tensor(time.perf_counter() - began > 0.15)


def _wide_twin(session: Session) -> torch.Tensor:
    import cuequivariance as cue
    import cuequivariance_torch as cuet

    vectors = cue.Irreps("O3", "1x1o")
    made = cuet.ChannelWiseTensorProduct(vectors, vectors, cue.Irreps("O3", "0e"), layout=cue.mul_ir, method="naive")
    return torch.tensor(made.weight_numel)


ACTS: dict[str, Callable[[Session], torch.Tensor]] = {
    "silu_by_exponential": _silu, "first_activation_alone": _activations, "ghosts_kept": _ghosts, "harmonics_gradient_along_the_axis": _vertical,
    "strides_of_the_cell_assumed": _strided_cell, "edge_dropped_now_and_then": _calls, "waits_for_every_shape": _first_call,
    "filter_ignored": _wide_twin,
}  # fmt: skip
"""What each fault that the suite does not see changes, where it does: without this, a patch that does nothing would look unseen."""
UNSEEN = [p for f in load_catalogue().faults for p in f.plants if p.unseen]


@pytest.mark.parametrize("plant", UNSEEN, ids=lambda p: p.patch)
def test_what_is_not_seen_is_there(plant: Plant, session: Session) -> None:
    probe = ACTS[plant.patch]
    before = probe(session)
    with PATCHES[plant.patch](session, **plant.arguments):
        assert not torch.equal(probe(session), before)
    assert torch.allclose(probe(session), before, rtol=1e-12 if before.is_floating_point() else 0)


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
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "catalogue.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_catalogue(path)
    assert says in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)
