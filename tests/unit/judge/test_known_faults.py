"""Entries of known faults: which findings they concern, when they are out of date, and which can never apply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mace.modules.radial import ZBLBasis

from mpcheck._errors import InputError
from mpcheck._names import (
    AUDIT,
    BENCH,
    CAPTURED,
    EVERY_ROW,
    POLICY,
    POLICY_SIZE,
    POLICY_SPEED,
    PRECISION,
    RANGES,
    SMALL_TWIN,
    SYMMETRY,
    TRAINING_STEP,
    WHOLE,
)
from mpcheck.checks.physics.properties import PROPERTIES
from mpcheck.judge.known_faults import (
    CUT_REPULSION,
    EMBEDDED_ENERGY,
    JUMPS,
    SEVERAL_HEADS,
    KnownFault,
    apply_known_faults,
    class_names,
    known_checks,
    load_faults,
)
from mpcheck.records.record import Record


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


@pytest.mark.parametrize(
    "said",
    ["both inputs should have same dtype", "expected scalar type Float but found BFloat16", "expected m1 and m2 to have the same dtype"],
)
def test_torch_refuses_types_in_several_words(said: str) -> None:
    """By the operation that meets them first: a matrix product of e3nn's code, or one of cuEquivariance's."""
    (entry,) = [e for e in load_faults() if e.id == "head-mask-in-default-dtype"]
    finding = Record(check="precision", subject="readouts.1", format="bfloat16", verdict="fail", reason=f"raised RuntimeError: {said}")
    assert entry.concerns(finding) and entry.shows(finding)
    assert not entry.shows(finding.model_copy(update={"reason": "raised RuntimeError: shape '[8]' is invalid for input of size 7"}))


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


BLOCK = "products.0.linear"
EVIDENCE = "measured by nobody, in a test"
ENTRY = {"id": "planted", "package": "torch", "versions": ">=1", "subject": BLOCK, "says": "planted", "evidence": EVIDENCE}


def entry(**fields: Any) -> KnownFault:
    return KnownFault.model_validate({**ENTRY, **fields})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"check": "equivarience"}, "'equivarience' is no check; choose from precision, small-twin, every-row, whole-model, captured, policy"),
        ({"check": "golden"}, "is no check"),
        ({"check": ""}, "check"), ({"check": "Precision"}, "is no check"), ({"package": "mace-torhc"}, "neither installed nor one of"),
        ({"needs": "BesselBasi"}, "'BesselBasi' is no class of upstream's"), ({"unless": ["AgnesiTransform", "SoftTransfrom"]}, "SoftTransfrom"),
        ({"format": ["bf16"]}, "'bf16' is no format"), ({"needs": ["many heads"]}, "several heads"),
    ],
)  # fmt: skip
def test_an_entry_that_can_never_apply_is_an_error(fields: dict[str, Any], says: str, tmp_path: Path) -> None:
    lines = [f"    {name}: {value!r}" for name, value in {**ENTRY, "check": "precision", **fields}.items()]
    path = tmp_path / "faults.yaml"
    path.write_text("schema_version: 1\nfaults:\n  -\n" + "\n".join(lines) + "\n")
    with pytest.raises(InputError, match=says) as told:
        load_faults(path)
    assert "\n" not in str(told.value) and "faults.0" in str(told.value)


def test_two_entries_of_one_name_are_an_error(tmp_path: Path) -> None:
    one = ", ".join(f"{name}: {value!r}" for name, value in {**ENTRY, "check": "precision"}.items())
    path = tmp_path / "faults.yaml"
    path.write_text(f"schema_version: 1\nfaults:\n  - {{{one}}}\n  - {{{one}}}\n")
    with pytest.raises(InputError, match="two entries are called 'planted'"):
        load_faults(path)


def test_traits_of_versions_that_are_not_installed_are_not_looked_up() -> None:
    assert entry(check="precision", versions="<1", needs=["ClassOfThePast"]).needs == ["ClassOfThePast"]


def test_entries_of_every_check_are_read() -> None:
    names = known_checks()
    judged = [PRECISION, SMALL_TWIN, EVERY_ROW, WHOLE, CAPTURED, POLICY, POLICY_SPEED, POLICY_SIZE, TRAINING_STEP]
    assert names == [*judged, *SYMMETRY, RANGES, *AUDIT, *BENCH]
    assert [entry(check=name).check for name in names] == names


class RealAgnosticResidualNonLinearInteractionBlock(torch.nn.Module):
    """Only its name counts."""


def test_traits_of_a_model() -> None:
    model = torch.nn.Module()
    model.heads = ["a", "b"]
    model.radial_embedding = torch.nn.Module()
    assert SEVERAL_HEADS in class_names(model)
    assert JUMPS not in class_names(model)
    model.interaction = RealAgnosticResidualNonLinearInteractionBlock()
    assert JUMPS in class_names(model)
    model.radial_embedding.apply_cutoff = False
    assert JUMPS not in class_names(model)
    assert EMBEDDED_ENERGY not in class_names(model)
    model.embedding_readout = torch.nn.Module()
    assert EMBEDDED_ENERGY in class_names(model)


@pytest.mark.parametrize(("numbers", "r_max", "cut"), [([11, 17], 3.0, True), ([11, 17], 3.4, False), ([1, 6, 8], 3.0, False), ([22], 3.0, True)])
def test_a_repulsion_that_edges_cut_off(numbers: list[int], r_max: float, cut: bool) -> None:
    model = torch.nn.Module()
    model.pair_repulsion_fn = ZBLBasis(p=6)
    model.atomic_numbers, model.r_max = torch.tensor(numbers), torch.tensor(r_max)
    assert (CUT_REPULSION in class_names(model)) is cut
    del model.pair_repulsion_fn
    assert CUT_REPULSION not in class_names(model)


def test_a_known_fault_may_need_several_traits() -> None:
    fault = KnownFault(
        id="x",
        package="torch",
        versions=">=1",
        check="physics",
        says="wrong",
        needs=["BesselBasis", "NonLinearReadoutBlock"],
        always=False,
        evidence="measured on a model of hydrogen",
    )  # fmt: skip
    red = Record(check="physics", subject="stress", verdict="fail", reason="wrong")
    assert apply_known_faults([red], {"BesselBasis", "NonLinearReadoutBlock"}, [fault])[0].verdict == "known-fault"
    assert apply_known_faults([red], {"BesselBasis"}, [fault])[0].verdict == "fail"
