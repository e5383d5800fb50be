"""Every figure of a model under a policy, with faults planted in it."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pytest
import torch

from mpcheck.policy.judging.batches import evaluate_all
from mpcheck.policy.judging.errors import ErrorReport, judge_errors
from mpcheck.policy.judging.probes import judged_sets
from mpcheck.policy.judging.reference import WholeReference, narrowed, whole_reference
from mpcheck.policy.judging.structures import Sets
from tests.unit.policy.judged_samples import Faulty, small, water
from tests.unit.policy.judging.test_nonfinite import Spoilt


@cache
def sets() -> Sets:
    """Of the water, with everything."""
    return judged_sets(water(), small(), most_edges=12_000)


@cache
def reference() -> WholeReference:
    """In float64."""
    return whole_reference(small(), sets(), in_process=True)


def judged(model: Any) -> ErrorReport:
    """What is found out; it is JSON without NaN, whatever it is."""
    report = judge_errors(model, small(), sets(), reference())
    json.dumps(report.fields(), allow_nan=False)
    return report


@cache
def cast(name: str) -> ErrorReport:
    """The model cast as a whole."""
    return judged(copy.deepcopy(small().module).to(getattr(torch, name)))


def test_formats_are_in_their_order() -> None:
    """float64 errs by nothing, float32 by less than bfloat16, which is between a hundredth and a few times the forces off."""
    assert cast("float64").sound and cast("float32").sound and cast("bfloat16").sound
    rms = [(cast(n).judged.force_rms_meV_per_A or 0.0) for n in ("float64", "float32", "bfloat16")]  # type: ignore[union-attr]
    assert rms[0] < 1e-9 < rms[1] < 1e-3 * rms[2]
    narrow = cast("bfloat16").judged
    assert narrow is not None and 0.003 < (narrow.force_relative.mean or 0.0) < 1.0 and (narrow.cosine_worst or 1.0) < 0.9999
    assert cast("bfloat16").contacts is not None and len(cast("bfloat16").diatomics) == 3
    figures = cast("bfloat16").figures()
    assert figures["judged_energy_meV_per_atom_mean"] == (narrow.energy_meV_per_atom.mean or -1.0)
    assert {"rotation_force_meV_per_A", "contacts_force_meV_per_A_p95", "second_relative_error", "H-O_energy_jump_meV"} <= set(figures)
    second = cast("float32").second_derivatives
    assert second is not None and second.relative_error is not None


def test_an_energy_that_is_off_where_atoms_are_odd() -> None:
    """pytorch 178871: forces are right; structures of both parities show the offset, far beyond its scatter."""

    def change(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
        if len(graph["positions"]) % 2:
            out["energy"] = out["energy"] + 0.05

    parity = judged(Faulty(change)).parity
    assert parity is not None and parity.offset_meV == pytest.approx(50.0, rel=0.01)
    assert 10 * (parity.scatter_meV or 0.0) < parity.offset_meV
    sound = cast("float32").parity
    assert sound is not None and abs(sound.offset_meV or 0.0) < 0.1


def test_an_error_that_is_known_beforehand_is_no_offset_of_odd_structures() -> None:
    """Atoms of an element err alike: structures that lack one err by one atom less."""

    def change(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
        out["energy"] = out["energy"] + 0.01 * torch.bincount(graph["batch"]).to(out["energy"].dtype)

    exact = reference().evaluation
    known = {place: 10.0 * float(exact.atoms[place]) for place in range(len(exact.atoms))}
    whole = Faulty(change)
    alone = judge_errors(whole, small(), sets(), reference()).parity
    told = judge_errors(whole, small(), sets(), reference(), known=known).parity
    assert alone is not None and told is not None
    assert abs(alone.offset_meV or 0.0) > 5.0 > 100 * abs(told.offset_meV or 0.0)


def test_a_force_with_its_sign_turned() -> None:
    """Of one atom of a structure."""

    def change(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
        out["forces"] = out["forces"].clone()
        out["forces"][1] *= -1.0

    found = judged(Faulty(change)).judged
    assert found is not None and found.cosine_worst == pytest.approx(-1.0)
    assert found.worst_atom is not None and found.worst_atom.atom == 1


def test_one_structure_of_a_batch() -> None:
    """The last one of every batch of several: the copies show it, and so does the structure beside another."""

    def change(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
        if len(out["energy"]) > 1:
            out["energy"] = out["energy"].clone()
            out["energy"][-1] += 1.0

    report = judged(Faulty(change))
    assert report.judged is not None and report.judged.energy_meV_per_atom.worst == pytest.approx(1000 / 9, rel=1e-6)
    batch = next(e for e in report.equivariance if e.kind == "batch")
    assert batch.energy_meV_per_atom == pytest.approx(1000 / 9, rel=1e-6)


def test_a_block_that_gives_no_numbers_at_close_contact() -> None:
    """The ordinary structures are judged; the contacts have no figures, and the block is named."""

    class Close(Spoilt):
        def forward(self, lengths: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            self.spoils_forward = True
            return super().forward(lengths, *args, **kwargs) if float(lengths.min()) < 0.6 else self.inner(lengths, *args, **kwargs)

    model = copy.deepcopy(small().module)
    model.radial_embedding.bessel_fn = Close(model.radial_embedding.bessel_fn, True)  # type: ignore[union-attr]
    report = judged(model)
    kinds = {n.kind: n for n in report.nonfinite}
    assert "contacts" in kinds and "own" not in kinds and not report.sound
    assert all(n.first is not None and n.first.block == "radial_embedding.bessel_fn" for n in kinds.values())
    assert report.judged is not None and report.judged.force_meV_per_A.mean is not None
    assert report.contacts is not None and report.contacts.force_meV_per_A.mean is None and report.contacts.nonfinite["forces"] > 0


def test_values_that_spread_over_a_batch() -> None:
    """The structure that has them by itself is named, not the first of those that it spoils."""
    guilty = sets().places("rattled")[5]
    shortest = float(sets().frames[guilty].positions[0, 0])

    class One(Spoilt):
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return super().forward(*args, **kwargs) if One.near else self.inner(*args, **kwargs)

        near = False

    class Spread(Faulty):
        def forward(self, data: dict[str, torch.Tensor], **flags: bool) -> dict[str, Any]:
            One.near = bool((data["positions"][:, 0] - shortest).abs().min() < 1e-12)
            return super().forward(data, **flags)

    def change(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
        if One.near:
            out["forces"] = out["forces"] * torch.nan

    model = Spread(change)
    model.model.products[0].linear = One(model.model.products[0].linear, True)
    found = {n.kind: n for n in judged(model).nonfinite}["rattled"]
    assert found.structures > 5 and found.label == sets().labels[guilty]
    assert found.first is not None and found.first.block == "products.0.linear"


def test_what_is_raised_is_a_result() -> None:
    """By the model on some structures, by what makes it, and by a call that gives something else."""

    def raising(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
        if len(graph["positions"]) > 100:
            raise SystemExit("too large")

    report = judged(Faulty(raising))
    assert not report.sound and "SystemExit: too large" in report.raised[0]

    def refusing() -> torch.nn.Module:
        raise NotImplementedError("no such kernel")

    assert "no such kernel" in judged(refusing).refused and not judged(refusing).sound

    def short(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
        out["forces"] = out["forces"][1:]

    assert "where [9, 3] belongs" in judged(Faulty(short)).raised[0]


def test_a_model_without_forces_is_a_result() -> None:
    """As a broken export gives them."""

    def without(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
        out["forces"] = None

    assert not judged(Faulty(without)).sound


def test_some_of_the_sets_give_the_same_figures() -> None:
    """Close contacts alone beside the user's own: their figures are those of the whole, and nothing else is there."""
    some, right = narrowed(sets(), reference(), "contacts")
    report = judge_errors(copy.deepcopy(small().module).float(), small(), some, right)
    whole = cast("float32").contacts
    assert report.contacts is not None and whole is not None
    assert report.contacts.force_meV_per_A == whole.force_meV_per_A and report.contacts.energy_meV_per_atom == whole.energy_meV_per_atom
    assert report.judged is not None and report.judged.structures == 1 and not report.diatomics and report.second_derivatives is None


def test_lost_in_float64_itself() -> None:
    """A reference without a number is told, and is no fault of the policy's."""
    broken = copy.deepcopy(reference().evaluation)
    broken.energy[0] = torch.nan
    report = judge_errors(small().module, small(), sets(), WholeReference(broken, {}, reference().every, False))
    assert report.float64_lost == (sets().labels[0],) and not report.sound and not report.nonfinite


def test_the_reference_is_what_evaluation_gives() -> None:
    """In the same process, to the last bit: figures of float64 are zero for a reason."""
    assert torch.equal(evaluate_all(small().module, reference().every).energy, reference().evaluation.energy)
