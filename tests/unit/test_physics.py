from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ase import Atoms

from mpcheck._errors import InputError
from mpcheck._unsupported import no_device
from mpcheck.adapters.backends.casting import replaced, to_dtype
from mpcheck.checks.audit import reductions
from mpcheck.checks.physics import forces as physics_forces
from mpcheck.checks.physics import inputs as physics_inputs
from mpcheck.checks.physics import properties as physics
from mpcheck.checks.physics import strides
from mpcheck.checks.physics import structure as physics_model
from mpcheck.checks.physics.properties import PROPERTIES
from mpcheck.judge.context import Key
from mpcheck.judge.known_faults import KnownFault, apply_known_faults, load_faults
from mpcheck.records.record import Record
from mpcheck.reference.whole_noise import ROUNDOFF
from mpcheck.sessions import inspections
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults.planted import replaced_attribute


class Spring(torch.nn.Module):
    """E = sum of k/2 |r_i|^2 + sin(x_i) over the atoms of each graph, in float64, or rounded to a coarser grid."""

    def __init__(self, grid: float = 0.0) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, data: dict[str, torch.Tensor], compute_force: bool = True) -> dict[str, torch.Tensor]:
        x = data["positions"]
        energy = torch.zeros(len(data["ptr"]) - 1, dtype=x.dtype).index_add_(0, data["batch"], (1.5 * x.square() + x.sin()).sum(1))
        if self.grid:
            energy = torch.round(energy / self.grid) * self.grid
        return {"energy": energy}


def _graph(atoms: int = 4) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    nothing = torch.zeros(0, 3, dtype=torch.float64)
    return {
        "positions": torch.randn(atoms, 3, dtype=torch.float64, generator=generator), "node_attrs": torch.ones(atoms, 1, dtype=torch.float64),
        "edge_index": torch.zeros(2, 0, dtype=torch.long), "shifts": nothing, "unit_shifts": nothing, "cell": torch.eye(3, dtype=torch.float64),
        "batch": torch.zeros(atoms, dtype=torch.long), "ptr": torch.tensor([0, atoms]),
    }  # fmt: skip


def test_extrapolated_differences_are_right_within_what_they_allow() -> None:
    graph = _graph()
    x = graph["positions"]
    directions = [torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(i)) for i in range(8)]
    found = physics_forces.derivatives(Spring(), graph, directions, False, 1e-15)
    exact = torch.stack([((3 * x + x.cos()) * d).sum() for d in directions])
    assert bool(((found.value - exact).abs() <= found.allowed).all())
    assert float((found.allowed / exact.abs()).max()) < 1e-7, "so wide that nothing would be seen"


def test_rounding_of_energies_is_allowed_for() -> None:
    graph, grid = _graph(), 1e-9
    direction = torch.ones(4, 3, dtype=torch.float64)
    exact = float(((3 * graph["positions"] + graph["positions"].cos()) * direction).sum())
    found = physics_forces.derivatives(Spring(grid), graph, [direction], False, grid / 12**0.5)
    assert abs(float(found.value[0]) - exact) <= float(found.allowed[0])
    assert float(found.allowed[0]) > 1e-8


def test_strain_derivative() -> None:
    graph = _graph()
    x = graph["positions"]
    strain = torch.tensor([[0.3, 0.1, 0.0], [0.1, -0.2, 0.4], [0.0, 0.4, 0.5]], dtype=torch.float64)
    found = physics_forces.derivatives(Spring(), graph, [strain], True, 1e-15)
    exact = float(((3 * x + x.cos()) * (x @ strain)).sum())
    assert abs(float(found.value[0]) - exact) <= float(found.allowed[0])


def test_batched_copies_are_the_graph_itself(session: Session) -> None:
    graph = session.graph(SYSTEM)
    model = session.reference_backend.model
    single = physics_model.energies(model, graph)
    together = physics_forces.energies_of(model, [graph] * 3)
    assert torch.allclose(together, single.expand(3), rtol=1e-14, atol=0)


def test_whole_models_noise_foretells_float32(session: Session) -> None:
    """The same model on the same rounded inputs and parameters: float32's error lies below float32's scale, and not far below
    (0.28 measured: torch adds up matrix products in blocks, the scale takes them one by one).
    """
    backend, graph = session.reference_backend, session.graph(SYSTEM)
    scale = physics_model.measure_noise(backend.model, graph, 7)["forces"] / ROUNDOFF * 2.0**-24

    def once(t: torch.Tensor) -> torch.Tensor:
        return t.to(torch.float32).to(torch.float64) if t.is_floating_point() else t

    rounded = {k: once(v) for k, v in graph.items()}
    with replaced(backend.model, once):
        exact = physics_model.evaluate(backend.model, rounded)["forces"]
    low = {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in rounded.items()}
    with replaced(backend.model, to_dtype(torch.float32)):
        got = physics_model.evaluate(backend.model, low)["forces"].double()
    ratio = physics_model.rms(got - exact) / physics_model.rms(scale)
    assert 0.1 < ratio < 1.0


def test_nothing_global_is_changed(session: Session) -> None:
    before = (
        torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(), torch.get_default_dtype(),
        torch.utils.deterministic.fill_uninitialized_memory, torch.random.get_rng_state(),
    )  # fmt: skip
    with physics_inputs.poisoned():
        assert torch.isnan(torch.empty(3)).all()
    for key in physics.keys(session):
        if key.backend == "e3nn" and key.subject in ("repeat", "smoothness"):
            inspections.run("audit", session, key)
    after = (
        torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(), torch.get_default_dtype(),
        torch.utils.deterministic.fill_uninitialized_memory, torch.random.get_rng_state(),
    )  # fmt: skip
    assert before[:4] == after[:4]
    assert torch.equal(before[4], after[4])


@pytest.mark.parametrize("layout", ["every other element", "columns first", "expanded"])
def test_layouts_change_strides_and_nothing_else(layout: str) -> None:
    t = torch.randn(5, 4, dtype=torch.float64)
    moved = strides.LAYOUTS[layout](t)
    assert not moved.is_contiguous()
    assert torch.equal(moved, t[:1].repeat(5, 1) if layout == "expanded" else t)


def test_keys(session: Session) -> None:
    keys = physics.keys(session)
    assert len({k.id for k in keys}) == len(keys)
    assert {k.subject for k in keys} == set(physics.PROPERTIES) - {"torque"}, "water is periodic: no torque"
    assert [k.backend for k in keys if k.subject == "indices"] == ["e3nn"], "one gather for all backends"
    assert all(not k.system for k in keys if physics.PROPERTIES[k.subject].systems == "own")


def test_choice_of_a_structure() -> None:
    water, carbon, big = Atoms("H2O", [[0, 0, 0], [1, 0, 0], [0, 1, 0]]), Atoms("C2", [[0, 0, 0], [1, 0, 0]]), Atoms("H" * 600)
    assert physics_model.choose_frame([carbon, water, big]) is water
    assert "two atoms" in str(physics_model.choose_frame([Atoms("H")]))
    assert "600 atoms" in str(physics_model.choose_frame([big]))


@pytest.mark.parametrize(
    ("symbols", "places", "says"),
    [
        ("HO", [[0, 0, 0], [1.1, 0, 0]], "two neighbours"),
        ("HHH", [[0, 0, 0], [1.1, 0, 0], [0, 1.3, 0]], "one element"),
        ("HOC", [[0, 0, 0], [9.0, 0, 0], [0, 9.0, 0]], "below the resolution"),
    ],
)
def test_degenerate_structures_conclude_nothing(session: Session, symbols: str, places: list[list[float]], says: str) -> None:
    frame, backend = Atoms(symbols, places), session.reference_backend
    case = physics_model.Case(session, Key("physics", "finite-difference", "e3nn", "float64", "here"), backend.model, backend.device, frame)
    (found,) = physics_forces.finite_difference(case)
    assert found.verdict == "inconclusive"
    assert says in found.reason


def test_an_error_of_upstream_is_a_failure(session: Session) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Traceback of TorchScript\nno kernel for this")

    key = Key("physics", "node-energies", "e3nn", "float64", SYSTEM)
    with replaced_attribute(session.reference_backend.model, "forward", broken):
        (found,) = inspections.run("audit", session, key)
    assert found.verdict == "fail"
    assert found.reason == "raised RuntimeError: no kernel for this in broken"


def test_a_missing_backend_is_unsupported(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "backend", lambda name: no_device())
    for key in physics.keys(session):
        (found,) = inspections.run("audit", session, key)
        assert (found.verdict, found.reason) == ("unsupported", "no CUDA device")
    for key in reductions.keys(session):
        (found,) = inspections.run("audit", session, key)
        assert (found.verdict, found.reason) == ("unsupported", "no CUDA device")


def test_every_property_of_both_backends_is_sound(session: Session) -> None:
    """Cheap ones; the audit session runs all."""
    for key in physics.keys(session):
        if key.subject in ("node-energies", "net-force", "batch", "empty", "finite-difference"):
            for found in inspections.run("audit", session, key):
                assert found.verdict == "pass", f"{found.id}: {found.reason}"


def _finding(verdict: Any = "fail", **fields: Any) -> Record:
    return Record(**{"check": "physics", "subject": "stress", "variant": "mixed-pbc", "verdict": verdict, "reason": "wrong volume"} | fields)


def _fault(**fields: Any) -> KnownFault:
    entry = {"id": "f", "package": "torch", "versions": ">=1", "check": "physics", "subject": "stress", "says": "volume", "evidence": "x" * 20}
    return KnownFault(**(entry | fields))


def test_known_fault_is_named_and_another_reason_stays_a_failure() -> None:
    named, other = apply_known_faults([_finding(), _finding(reason="wrong sign")], (), [_fault(link="https://example.org")])
    assert named.verdict == "known-fault"
    assert "known fault f of torch >=1, https://example.org" in named.reason
    assert other.verdict == "fail"


@pytest.mark.parametrize(
    "fault",
    [_fault(versions="<1"), _fault(package="openequivariance"), _fault(check="reductions"), _fault(variant="periodic"), _fault(needs="BesselBasis"),
     _fault(format=["float32"]), _fault(backend="cueq")],
)  # fmt: skip
def test_known_fault_that_does_not_concern_a_finding(fault: KnownFault) -> None:
    assert apply_known_faults([_finding()], (), [fault]) == [_finding()]
    assert apply_known_faults([_finding("pass")], (), [fault]) == [_finding("pass")], "nor is it out of date"


def test_known_fault_that_another_part_of_the_model_hides() -> None:
    fault = _fault(unless=["AgnesiTransform"])
    assert apply_known_faults([_finding("pass")], {"AgnesiTransform"}, [fault]) == [_finding("pass")]
    assert apply_known_faults([_finding()], {"AgnesiTransform"}, [fault]) == [_finding()]
    assert apply_known_faults([_finding()], {"BesselBasis"}, [fault])[0].verdict == "known-fault"


def test_known_fault_that_not_every_model_shows_is_never_out_of_date() -> None:
    assert apply_known_faults([_finding("pass")], (), [_fault(always=False)]) == [_finding("pass")]
    assert apply_known_faults([_finding()], (), [_fault(always=False)])[0].verdict == "known-fault"


def test_known_fault_out_of_date_is_a_failure() -> None:
    found = apply_known_faults([_finding("pass", reason="")], (), [_fault()])
    assert [f.verdict for f in found] == ["pass", "fail"]
    assert "no longer applies to torch" in found[1].reason
    assert apply_known_faults([_finding("unsupported")], (), [_fault()]) == [_finding("unsupported")], "what did not run says nothing"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("schema_version: 1\nfaults:\n  - {id: a}\n", "faults.0"),
        ("schema_version: 2\nfaults: []\n", "schema_version"),
        (
            "schema_version: 1\nfaults:\n  - {id: a, package: torch, versions: newer, check: physics, says: s, evidence: twenty letters or more}\n",
            "faults.0",
        ),
        (
            "schema_version: 1\nfaults:\n  - {id: a, package: torch, versions: newer, check: physics, says: s, evidence: twenty letters or more}\n",
            "specifier",
        ),
        ("schema_version: 1\nfaults:\n  - {id: a, package: torch, versions: '<1', check: physics, says: s, evidence: too short}\n", "evidence"),
    ],
)
def test_faults_file_is_strict(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        load_faults(path)


def test_packaged_faults_are_readable_and_have_unique_ids() -> None:
    faults = load_faults()
    assert len({f.id for f in faults}) == len(faults)
    assert {f.subject for f in faults if f.check == "physics"} <= set(PROPERTIES), "an entry of a property that does not exist never shows"
