"""Faults of whole models turn the property red that they break, for its own reason; sound upstream is green before and after."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.upstream import mace
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Options, Session
from tests import inspections
from tests.faults.patches.gradients import Accumulated
from tests.faults.planted import replaced_attribute

WATER, SLAB, SOLVENTS, DIAMOND = "builtin:water", "builtin:slab", "builtin:solvents", "builtin:diamond"
LINEAR = "interactions.1.linear"


@pytest.fixture(scope="module")
def run(cache: Path) -> Session:
    """Three periodicities on e3nn; one block, so that no other reference is built."""
    return Session(Options(systems=(WATER, SLAB, SOLVENTS, DIAMOND), backends=("e3nn",), blocks=(LINEAR,), cache=cache))


@pytest.fixture(scope="module")
def model(run: Session) -> torch.nn.Module:
    return run.reference_backend.model


def judged(run: Session, name: str, system: str = "", variant: str = "") -> Record:
    found = {f.variant: f for f in inspections.run("audit", run, Key("physics", name, "e3nn", "float64", system)) if f.format == "float64"}
    return found[variant]


def assert_red(
    run: Session,
    fault: Callable[[], contextlib.AbstractContextManager[Any]],
    says: str,
    name: str,
    system: str = "",
    variant: str = "",
    clean: str = "pass",
) -> None:
    assert judged(run, name, system, variant).verdict == clean
    with fault():
        found = judged(run, name, system, variant)
    assert found.verdict == "fail", f"not seen: ratio {found.ratio}"
    assert says in found.reason
    assert judged(run, name, system, variant).verdict == clean, "the fault was not taken out"


def altered(model: torch.nn.Module, change: Callable[[dict[str, Any]], dict[str, Any]]) -> contextlib.AbstractContextManager[None]:
    """A model whose outputs are changed on their way out."""
    original = model.forward

    def forward(*args: Any, **kwargs: Any) -> dict[str, Any]:
        out = original(*args, **kwargs)
        return out | {k: v for k, v in change(out).items() if out.get(k) is not None}

    return replaced_attribute(model, "forward", forward)


def test_forces_of_zero(run: Session, model: torch.nn.Module) -> None:
    fault = partial(altered, model, lambda o: {} if o["forces"] is None else {"forces": torch.zeros_like(o["forces"])})
    assert_red(run, fault, "not the derivative", "finite-difference", WATER)


def test_forces_a_thousandth_too_large(run: Session, model: torch.nn.Module) -> None:
    fault = partial(altered, model, lambda o: {} if o["forces"] is None else {"forces": o["forces"] * 1.001})
    assert_red(run, fault, "all together 1.001 times", "finite-difference", WATER)


def test_force_of_one_element_lost(run: Session, model: torch.nn.Module) -> None:
    """Net force sees it too: what is lost on one atom stays on its neighbours."""

    def lost(out: dict[str, Any]) -> dict[str, Any]:
        if out["forces"] is None:
            return {}
        forces = out["forces"].clone()
        forces[0] = 0.0
        return {"forces": forces}

    assert_red(run, partial(altered, model, lost), "instead of zero", "net-force", WATER)
    assert_red(run, partial(altered, model, lost), "instead of zero", "torque", SOLVENTS)


def test_nan_is_red(run: Session, model: torch.nn.Module) -> None:
    fault = partial(altered, model, lambda o: {k: o[k] * float("nan") for k in ("forces", "node_energy") if o[k] is not None})
    assert_red(run, fault, "not the derivative", "finite-difference", WATER)
    assert_red(run, fault, "do not add up", "node-energies", WATER)
    assert_red(run, fault, "instead of zero", "net-force", WATER)


def test_detached_positions(run: Session) -> None:
    """Edge vectors no longer carry the gradient: energies right, every force zero."""
    original = mace.modules.utils.get_edge_vectors_and_lengths

    def detached(positions: torch.Tensor, **kwargs: Any) -> Any:
        return original(positions=positions.detach() + 0.0 * positions, **kwargs)

    assert_red(
        run,
        partial(replaced_attribute, mace.modules.utils, "get_edge_vectors_and_lengths", detached),
        "not the derivative",
        "finite-difference",
        WATER,
    )


def test_forces_of_one_element_conclude_nothing(run: Session) -> None:
    found = judged(run, "finite-difference", DIAMOND)
    assert found.verdict == "inconclusive"
    assert "one element" in found.reason


def test_sign_of_virials(run: Session, model: torch.nn.Module) -> None:
    fault = partial(altered, model, lambda o: {} if o["virials"] is None else {"virials": -o["virials"]})
    assert_red(run, fault, "sign is turned", "stress", WATER, "virial")


def test_sign_of_atomic_virials(run: Session, model: torch.nn.Module) -> None:
    fault = partial(altered, model, lambda o: {} if o["atomic_virials"] is None else {"atomic_virials": -o["atomic_virials"]})
    assert_red(run, fault, "sign is turned", "node-energies", WATER, "atomic virials")


def test_sign_of_stress_and_pressure(run: Session, model: torch.nn.Module) -> None:
    fault = partial(altered, model, lambda o: {} if o["stress"] is None else {"stress": -o["stress"]})
    assert_red(run, fault, "sign is turned", "stress", WATER, "periodic")


def test_stress_over_the_searched_cell_is_known_and_another_fault_there_is_not(run: Session, model: torch.nn.Module) -> None:
    found = judged(run, "stress", SLAB, "mixed-pbc")
    assert found.verdict == "known-fault"
    assert "stress-volume-of-search-cell" in found.reason
    assert judged(run, "stress", SLAB, "virial").verdict == "pass"
    fault = partial(altered, model, lambda o: {} if o["stress"] is None else {"stress": -o["stress"]})
    assert_red(run, fault, "sign is turned", "stress", SLAB, "mixed-pbc", clean="known-fault")


def test_a_known_fault_that_is_mended_is_reported(run: Session, model: torch.nn.Module) -> None:
    volume = abs(float(run.systems[SLAB].frames[0].cell.volume))
    with altered(model, lambda o: {} if o["stress"] is None else {"stress": -o["virials"] / volume}):
        found = judged(run, "stress", SLAB, "mixed-pbc, known fault")
        assert judged(run, "stress", SLAB, "mixed-pbc").verdict == "pass"
    assert found.verdict == "fail"
    assert "no longer applies" in found.reason


def test_stress_over_twice_the_volume(run: Session, model: torch.nn.Module) -> None:
    fault = partial(altered, model, lambda o: {} if o["stress"] is None else {"stress": o["stress"] / 2})
    assert_red(run, fault, "all together 0.5 times", "stress", WATER, "periodic")


def test_node_energies_without_e0(run: Session, model: torch.nn.Module) -> None:
    e0 = model.get_submodule("atomic_energies_fn").atomic_energies.detach().reshape(-1)
    species = run.graph(WATER)["node_attrs"].argmax(1)
    fault = partial(altered, model, lambda o: {"node_energy": o["node_energy"] - e0[species]})
    assert_red(run, fault, "do not add up", "node-energies", WATER)


def test_without_e0_node_energies_conclude_nothing(run: Session, model: torch.nn.Module) -> None:
    with replaced(model.get_submodule("atomic_energies_fn"), torch.zeros_like):
        assert judged(run, "node-energies", WATER).verdict == "inconclusive"


def test_batch_with_an_index_offset_dropped(run: Session, model: torch.nn.Module) -> None:
    original = model.forward

    def forward(data: dict[str, torch.Tensor], **kwargs: Any) -> Any:
        if len(data["ptr"]) > 3:  # the senders of the third graph are counted from its own first atom
            sender = data["edge_index"][0]
            first = int(data["ptr"][2])
            data["edge_index"] = torch.stack([torch.where(data["batch"][sender] == 2, sender - first, sender), data["edge_index"][1]])
        return original(data, **kwargs)

    fault = partial(replaced_attribute, model, "forward", forward)
    assert_red(run, fault, "graph 2 in a batch", "batch", WATER, "energy")
    assert_red(run, fault, "in a batch of 4", "batch", WATER, "forces")


def test_wrong_from_the_third_call(run: Session, model: torch.nn.Module) -> None:
    linear = model.get_submodule(LINEAR)
    original, calls = linear.forward, [0]

    def forward(features: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        out = original(features)
        if calls[0] >= 3 and out.requires_grad:
            out.register_hook(lambda g: 1.25 * g)
        return out

    assert_red(run, partial(replaced_attribute, linear, "forward", forward), "differs from call 3 beyond noise", "repeat", WATER, "first calls")


def test_gradient_accumulated_into_an_uninitialised_buffer(run: Session, model: torch.nn.Module) -> None:
    linear = model.get_submodule(LINEAR)
    original = linear.forward
    fault = partial(replaced_attribute, linear, "forward", lambda features: Accumulated.apply(original(features)))
    assert judged(run, "repeat", WATER, "filled memory").verdict == "pass"
    with fault():
        found = judged(run, "repeat", WATER, "filled against plain")
    assert found.verdict == "fail"
    assert "poisoned" in found.reason


@contextlib.contextmanager
def without_envelope(model: torch.nn.Module) -> Iterator[None]:
    class Ones(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ones_like(x)

    with replaced_attribute(model.get_submodule("radial_embedding"), "cutoff_fn", Ones()):
        yield


def test_cutoff_envelope_removed(run: Session, model: torch.nn.Module) -> None:
    assert_red(run, partial(without_envelope, model), "vanishes as the power", "smoothness", variant="energy")
    assert_red(run, partial(without_envelope, model), "vanishes as the power", "smoothness", variant="forces")
    assert_red(run, partial(without_envelope, model), "jumps", "smoothness", variant="forces, jump")
    assert_red(run, partial(without_envelope, model), "edges of 4.5", "edges", variant="energy, beyond r_max")


def test_strides_taken_for_granted(run: Session, model: torch.nn.Module) -> None:
    linear = model.get_submodule(LINEAR)
    original = linear.forward

    def forward(features: torch.Tensor) -> torch.Tensor:
        rows, columns = features.shape
        if features.numel() and features.untyped_storage().nbytes() >= rows * columns * features.element_size():
            features = features.as_strided((rows, columns), (columns, 1))
        return original(features)

    fault = partial(replaced_attribute, linear, "forward", forward)
    assert_red(run, fault, f"{LINEAR}, out depends on how", "strided", WATER, "every other element")
    assert_red(run, fault, f"{LINEAR}, ", "strided", WATER, "columns first")


def test_zero_length_edges_are_known(run: Session) -> None:
    found = judged(run, "edges", variant="zero-length")
    assert found.verdict == "known-fault"
    assert found.worst == "radial_embedding.bessel_fn"


def test_force_on_an_isolated_atom(run: Session, model: torch.nn.Module) -> None:
    fault = partial(altered, model, lambda o: {} if o["forces"] is None else {"forces": o["forces"] + 1e-9})
    assert_red(run, fault, "instead of zero", "empty", variant="no edges")


def test_energies_that_do_not_add_up(run: Session, model: torch.nn.Module) -> None:
    fault = partial(altered, model, lambda o: {"energy": o["energy"] + 1e-9 * o["node_energy"].numel() ** 2})
    assert_red(run, fault, "not the sum", "empty", variant="out of reach")


def test_indices_in_31_bits(run: Session) -> None:
    original = mace.modules.utils.get_edge_vectors_and_lengths

    def wrapped(positions: torch.Tensor, edge_index: torch.Tensor, shifts: torch.Tensor, **kwargs: Any) -> Any:
        return original(positions=positions, edge_index=(3 * edge_index) % 2**31 // 3, shifts=shifts, **kwargs)

    assert_red(
        run, partial(replaced_attribute, mace.modules.utils, "get_edge_vectors_and_lengths", wrapped), "3 of 3 are wrong", "indices", variant="gather"
    )


def test_rows_counted_in_float32(run: Session) -> None:
    original = mace.modules.models.scatter_sum

    def wrapped(src: torch.Tensor, index: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        return original(src=src, index=index.float().long().clamp(max=kwargs["dim_size"] - 1), **kwargs)

    assert_red(run, partial(replaced_attribute, mace.modules.models, "scatter_sum", wrapped), "are wrong", "indices", variant="sum")
