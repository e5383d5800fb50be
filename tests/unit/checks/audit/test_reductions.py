""""""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from mpcheck.adapters.upstream import mace
from mpcheck.checks.audit import reductions
from mpcheck.checks.audit.reductions_data import CARBON_E0, carbon, census, many_atoms
from mpcheck.formats import get_format
from mpcheck.judge.known_faults import apply_known_faults, class_names
from mpcheck.judge.native_sums import EQUAL_TERMS
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests import inspections
from tests.conftest import SYSTEM
from tests.faults.planted import replaced_attribute, sequential_scatter

FLOAT32, BFLOAT16 = get_format("float32"), get_format("bfloat16")


def energy(session: Session, count: int, fmt: str = "float32") -> tuple[Record, Record]:
    upstream, remedy = reductions.judge_energy(session, carbon(session, count), get_format(fmt))
    return upstream, remedy


def test_e0_of_32768_atoms_summed_in_float32_is_red_and_the_remedy_green(session: Session) -> None:
    upstream, remedy = energy(session, 32_768)
    assert upstream.verdict == "fail"
    assert "the sum of E0 alone is off by 305 meV/atom" in upstream.reason
    assert remedy.verdict == "pass"
    assert remedy.figures["error_meV_per_atom"] < 0.05


def test_e0_of_1024_carbon_atoms(session: Session) -> None:
    """1,024 additions of -1029.28 one after another in float32, done here by hand, err by 14.9 eV."""
    upstream, _ = energy(session, 1024)
    total = torch.zeros((), dtype=torch.float32)
    term = torch.tensor(CARBON_E0, dtype=torch.float32)
    for _ in range(1024):
        total = total + term
    by_hand = abs(float(total) - 1024 * float(term)) * 1e3 / 1024
    assert upstream.figures["E0_sum_error_meV_per_atom"] == pytest.approx(by_hand, rel=1e-12)
    assert by_hand == pytest.approx(14.53, abs=0.01)


def test_formats_that_cannot_hold_e0_say_so(session: Session) -> None:
    upstream, _ = energy(session, 1024, "bfloat16")
    assert upstream.figures["stored_error_meV_per_atom"] == pytest.approx(2720, abs=1)  # -1032 is the nearest bfloat16
    assert "cannot hold single terms" in str(upstream.figures["note"])
    upstream, _ = energy(session, 1024, "float16")
    assert upstream.verdict == "unsupported"
    assert "range" in upstream.reason
    upstream, _ = energy(session, 1024, "tf32")
    assert upstream.figures["stored_error_meV_per_atom"] == pytest.approx(280, abs=1)  # eleven bits: -1029


def test_known_fault_in_a_session_and_reported_once_it_is_mended(session: Session) -> None:
    classes = class_names(session.reference_backend.model)
    found = [f for n in reductions.CARBON_SIZES for f in energy(session, n)]
    assert {f.verdict for f in apply_known_faults(found, classes)} == {"known-fault", "pass"}
    original = mace.modules.models.scatter_sum

    def wide(src: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        return original(src=src.double(), **kwargs).to(src.dtype)

    with replaced_attribute(mace.modules.models, "scatter_sum", wide):
        mended = apply_known_faults([f for n in reductions.CARBON_SIZES for f in energy(session, n)], classes)
    assert [f.verdict for f in mended].count("fail") == 1
    assert "no longer applies" in mended[-1].reason


@pytest.mark.parametrize("count", [1024, 32_768])
def test_another_fault_of_the_same_sum_is_not_taken_for_the_known_one(session: Session, count: int) -> None:
    """E0 alone is off there as well, and the reason says so; what is off is not what adding one by one gives."""
    original = mace.modules.models.scatter_sum
    with replaced_attribute(mace.modules.models, "scatter_sum", lambda **kwargs: original(**kwargs) * (1 - 1e-3)):
        found = energy(session, count)[0]
    assert found.verdict == "fail" and "the sum of E0 alone" in found.reason and not found.cause
    assert apply_known_faults([found], class_names(session.reference_backend.model))[0].verdict == "fail"
    assert energy(session, count)[0].cause == EQUAL_TERMS


def test_another_fault_of_the_whole_models_sum_is_not_taken_for_the_known_one(session: Session) -> None:
    original = mace.modules.models.scatter_sum
    assert reductions.judge_model(session).cause == EQUAL_TERMS

    def low(src: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        return original(src, *args, **kwargs) * (1 if src.dtype == torch.float64 else 1 + 1e-4)

    with replaced_attribute(mace.modules.models, "scatter_sum", low):
        found = reductions.judge_model(session)
    assert (found.verdict, found.cause) == ("fail", "")


def test_whole_model_on_isolated_atoms(session: Session) -> None:
    parameters = {n: p.detach().clone() for n, p in session.reference_backend.model.state_dict().items()}
    found = reductions.judge_model(session)
    assert found.verdict == "fail"
    assert found.figures["error_meV_per_atom"] > 10
    assert found.figures["node_energies_summed_in_float64_meV_per_atom"] < 0.1
    after = session.reference_backend.model.state_dict()
    assert all(torch.equal(after[n], p) and after[n].dtype == p.dtype for n, p in parameters.items()), "the model was not put back"


@pytest.mark.parametrize("fmt", ["float64", "float32", "bfloat16", "float16"])
def test_sums_of_different_terms_lie_at_their_noise_scale(session: Session, fmt: str) -> None:
    """The formula against many sound sums: rms of the ratio near one half, neither far below nor above one."""
    generator = torch.Generator().manual_seed(1)
    ratios = []
    for _ in range(40):
        values = -1 + 0.3 * torch.randn(512, dtype=torch.float64, generator=generator)
        found = reductions.summed(values, values.to(get_format(fmt).storage), get_format(fmt), "cpu")
        ratios.append((found.result - found.stored) / found.scale)
    assert 0.2 < math.sqrt(sum(r * r for r in ratios) / len(ratios)) < 1.0


def test_energies_added_one_by_one_in_bfloat16_are_red(session: Session) -> None:
    atoms = many_atoms(session, SYSTEM, census(session, SYSTEM), 1024)
    assert reductions.judge_energy(session, atoms, BFLOAT16)[1].verdict == "pass"

    def sequential(src: torch.Tensor, index: torch.Tensor, dim: int, dim_size: int) -> torch.Tensor:
        total = torch.zeros((), dtype=src.dtype)
        for value in src:
            total = total + value
        return total.reshape(1)

    with replaced_attribute(mace.modules.models, "scatter_sum", sequential):
        found = reductions.judge_energy(session, atoms, BFLOAT16)[1]
    assert found.verdict == "fail"
    assert "times the noise" in found.reason


@pytest.mark.parametrize("neighbours", [256, 4096])
def test_messages_added_one_by_one_in_bfloat16_are_red(session: Session, neighbours: int) -> None:
    block = "interactions.1.scatter"
    assert reductions.judge_scatter(session, SYSTEM, block, BFLOAT16, neighbours).verdict == "pass"
    with sequential_scatter(torch.bfloat16):
        found = reductions.judge_scatter(session, SYSTEM, block, BFLOAT16, neighbours)
    assert found.verdict == "fail"
    assert block in found.reason
    assert found.worst.startswith("atom ")


def test_nan_is_red(session: Session) -> None:
    def nothing(src: torch.Tensor, index: torch.Tensor, dim: int, dim_size: int) -> torch.Tensor:
        return torch.full((dim_size, *src.shape[1:]), math.nan, dtype=src.dtype)

    with replaced_attribute(mace.modules.models, "scatter_sum", nothing), replaced_attribute(mace.modules.blocks, "scatter_sum", nothing):
        assert [f.verdict for f in energy(session, 1024)] == ["fail", "fail"]
        assert reductions.judge_scatter(session, SYSTEM, "interactions.1.scatter", FLOAT32, 16).verdict == "fail"


def test_findings_of_a_run_have_names_of_their_own(session: Session) -> None:
    keys = reductions.keys(session)
    assert [k.subject for k in keys] == ["energy", "messages"]
    found = inspections.run("audit", session, keys[1])
    assert {f.verdict for f in found} == {"pass"}
    assert len({f.id for f in found}) == len(found)
