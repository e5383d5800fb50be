"""The session end to end on a small model: what is planned is recorded, sound policies are green, faults are red and name the block."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.checks.precision import CellKey, PrecisionCheck
from mpcheck.formats import Format
from mpcheck.policy.judging.structures import JUDGED
from mpcheck.policy.rules import Policy, Rule
from mpcheck.policy.running import applied
from mpcheck.policy.speed import supercells
from mpcheck.policy.speed.rounds import RoundPlan
from mpcheck.records.policy_figures import PolicyBlock, PolicyErrors, PolicySize
from mpcheck.records.record import Record
from mpcheck.sessions.policy.deploy import deploy
from mpcheck.sessions.policy.limits import within
from mpcheck.sessions.policy.work import PolicyWork
from tests.unit.checks.uses.small_models import built
from tests.unit.sessions.policy.conftest import options

MINE = Policy(name="mine", rules=[Rule(blocks=["role:linear"], compute="float16")])


def records(work: PolicyWork, subject: str, check: str = "policy") -> dict[str, Record]:
    piece = next(p for p in work.pieces() if p.planned.check == check and p.planned.subject == subject)
    return {r.variant: r for r in work.records(piece)}


def test_what_is_planned(work: PolicyWork, place: Path) -> None:
    planned = [(p.planned.check, p.planned.subject) for p in work.pieces()]
    assert planned == [("policy", "float64"), ("policy", "float32"), ("policy", "linear-bf16"), ("policy-budget", "model")]
    assert "all-bf16" in work.narrowed()["policies"]
    with_all = PolicyWork(options(place, launches=1, search=True, backends=("e3nn", "cueq")))
    checks = [p.planned.check for p in with_all.pieces()]
    assert (checks.count("policy"), checks.count("policy-speed"), checks.count("policy-search")) == (2 * 18, 1, 2)
    assert "policies" not in with_all.narrowed()


def test_a_sweep_is_planned_once_and_needs_carbon(place: Path) -> None:
    swept = PolicyWork(options(place, model="builtin:hco", systems=("builtin:water",), policies=("float32",), sweep=2))
    assert [(p.planned.check, p.planned.system) for p in swept.pieces()][-1] == ("policy-size", "builtin:diamond:2")
    with pytest.raises(InputError, match=r"--sweep: builtin:diamond:N is of C, and .*small\.model knows H, O alone; leave --sweep out"):
        PolicyWork(options(place, sweep=2))


def test_a_sweep_records_what_was_timed_and_what_was_left_out(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept = PolicyWork(options(place, model="builtin:hco", systems=("builtin:water",), policies=("float32", "tf32"), sweep=2, sweep_seconds=1.0))
    monkeypatch.setattr(supercells, "POINT", RoundPlan(seconds=0.01, warmup=1))
    found = swept.records(swept.pieces()[-1])
    first = {r.subject: r for r in found if (r.system, r.batch) == ("builtin:diamond:1", 1)}
    assert [first[p].verdict for p in ("float64", "float32", "tf32")] == ["pass", "pass", "unsupported"]
    detail = first["float32"].detail
    assert isinstance(detail, PolicySize) and detail.atoms == 8 and 0 < abs(detail.offset_eV or 0) < 1e-2 and detail.peak_bytes
    assert found[-1].where == "builtin:diamond:2*1" and found[-1].reason.startswith("left out")
    assert len({r.id for r in found}) == len(found)


@pytest.mark.parametrize("policy", ["float64", "float32", "linear-bf16"])
def test_sound_policies_are_green(work: PolicyWork, policy: str) -> None:
    found = records(work, policy)
    assert {r.verdict for r in found.values()} == {"pass"}, found
    detail = next(r.detail for r in found.values() if isinstance(r.detail, PolicyErrors))
    assert (detail.structures or 0) >= 20
    assert detail.force_meV_per_A is not None
    if policy != "float64":
        assert 0.2 < (found["forces"].ratio or 0) < 1.3
        assert detail.predicted_force_meV_per_A == pytest.approx(detail.force_meV_per_A / (found["forces"].ratio or 1.0))


def test_blocks_ten_times_noisier_than_predicted_are_red(work: PolicyWork, monkeypatch: pytest.MonkeyPatch) -> None:
    original = applied._wrapped

    def noisy(model: torch.nn.Module, block: object, *rest: object) -> torch.nn.Module:
        made = original(model, block, *rest)  # type: ignore[arg-type]  # passed on
        if block.module_path.startswith("readouts"):  # type: ignore[attr-defined]  # a Block
            made.register_forward_hook(lambda m, a, out: out * (1 + 0.03 * torch.sin(1e4 * out.detach())))
        return made

    monkeypatch.setattr(applied, "_wrapped", noisy)
    found = records(work, "linear-bf16")
    assert found["forces"].verdict == "fail"
    assert "predicted" in found["forces"].reason


def test_a_block_that_rounds_worse_is_named(work: PolicyWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times its roundoff in bfloat16, and nothing wrong in float64."""
    original, guilty = applied._wrapped, "interactions.1.linear"

    def worse(model: torch.nn.Module, block: object, *rest: object) -> torch.nn.Module:
        made = original(model, block, *rest)  # type: ignore[arg-type]  # passed on
        if block.module_path == guilty and made.compute == torch.bfloat16:  # type: ignore[attr-defined]  # a Block
            made.register_forward_hook(lambda m, a, out: out * (1 + 0.1 * torch.sin(1e4 * out.detach())))
        return made

    monkeypatch.setattr(applied, "_wrapped", worse)
    found = records(work, "linear-bf16")
    assert found["forces"].verdict == "fail" and found["forces"].block == guilty
    assert f"{guilty} is to blame" in found["forces"].reason


def test_a_block_whose_gradient_alone_is_off_is_named(work: PolicyWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """By five per cent in bfloat16: blocks that err more by right, and would bring the error down in float64, are not blamed."""
    original, guilty = applied._wrapped, "interactions.1.linear"

    def scaled(out: torch.Tensor) -> torch.Tensor:
        if out.requires_grad:
            out.register_hook(lambda grad: grad * 1.05)
        return out

    def worse(model: torch.nn.Module, block: object, *rest: object) -> torch.nn.Module:
        made = original(model, block, *rest)  # type: ignore[arg-type]  # passed on
        if block.module_path == guilty and made.compute == torch.bfloat16:  # type: ignore[attr-defined]  # a Block
            made.register_forward_hook(lambda m, a, out: scaled(out))
        return made

    monkeypatch.setattr(applied, "_wrapped", worse)
    found = records(work, "linear-bf16")
    assert found["forces"].verdict == "fail" and found["forces"].block == guilty, found["forces"].reason


def test_an_ignored_policy_is_red(work: PolicyWork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applied, "substituted", lambda root, path, module: root)
    found = records(work, "linear-bf16")
    assert found["applied"].verdict == "fail"
    assert found["applied"].block == "node_embedding.linear"


def test_an_offset_of_odd_structures_is_red(work: PolicyWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a padded reduction makes it (pytorch issue 178871)."""
    original = applied.PolicyModel.forward

    def forward(self: applied.PolicyModel, data: dict[str, torch.Tensor], *args: object, **flags: object) -> dict[str, torch.Tensor]:
        out = original(self, data, *args, **flags)
        odd = torch.diff(data["ptr"]) % 2
        return {**out, "energy": out["energy"] + 0.5 * odd}

    monkeypatch.setattr(applied.PolicyModel, "forward", forward)
    found = records(work, "float32")
    assert found["parity"].verdict == "fail"
    assert found["energy"].verdict == "fail"


def test_forces_that_are_no_numbers_are_red(work: PolicyWork, monkeypatch: pytest.MonkeyPatch) -> None:
    original = applied._wrapped

    def broken(model: torch.nn.Module, block: object, *rest: object) -> torch.nn.Module:
        made = original(model, block, *rest)  # type: ignore[arg-type]  # passed on
        if block.module_path == "interactions.1.linear":  # type: ignore[attr-defined]  # a Block
            made.register_forward_hook(lambda m, a, out: out / 0.0)
        return made

    monkeypatch.setattr(applied, "_wrapped", broken)
    found = records(work, "linear-bf16")
    assert found["finite"].verdict == "fail"
    assert found["finite"].block == "interactions.1.linear"


def test_a_policy_that_no_backend_can_run(place: Path) -> None:
    file = place / "sums.yaml"
    file.write_text("name: sums\nrules: [{blocks: ['role:linear'], compute: bfloat16, accumulate: bfloat16}]\n")
    found = records(PolicyWork(options(place, policies=(str(file),))), str(file))
    assert found["applied"].verdict == "unsupported"
    assert "accumulate bfloat16 in float32" in found["applied"].reason


def test_where_the_error_comes_from(work: PolicyWork) -> None:
    piece = next(p for p in work.pieces() if p.planned.check == "policy-budget")
    found = {r.subject: r.detail for r in work.records(piece)}
    shares = [d.force_share or 0.0 for d in found.values() if isinstance(d, PolicyBlock)]
    assert sum(shares) == pytest.approx(1.0, abs=0.05)
    linear = found["interactions.0.linear"]
    assert isinstance(linear, PolicyBlock)
    assert linear.runs_in == "bfloat16 → float32"
    assert linear.alone in ("bfloat16", "float16", "float32")


def test_structures_are_those_of_the_errors(work: PolicyWork) -> None:
    study = next(iter(work.studies.values()))
    assert sum(int(calls.graph["ptr"].numel()) - 1 for calls in study.copies()) == len(study.sets.places(*JUDGED))


def test_backends_by_themselves(place: Path) -> None:
    usual = PolicyWork(options(place, backends=()))
    assert usual.session.backend_names == ("e3nn",)
    assert "backends" not in usual.narrowed()
    assert "backends" in PolicyWork(options(place, backends=("e3nn",))).narrowed()


def test_bad_options(place: Path) -> None:
    with pytest.raises(InputError, match="unknown policy 'bf16'"):
        PolicyWork(options(place, policies=("bf16",)))
    with pytest.raises(InputError, match="budget"):
        PolicyWork(options(place, budget="much"))


@pytest.mark.parametrize("kind", ["AtomicDipolesMACE", "AtomicDielectricMACE"])
def test_a_model_without_energies_is_one_line(place: Path, kind: str) -> None:
    model, system = place / f"{kind}.model", str(place / "six.xyz")
    torch.save(built(kind), model)
    with pytest.raises(InputError, match=f"is a {kind} .*: a policy is judged by energies and forces"):
        PolicyWork(options(place, model=str(model)))
    with pytest.raises(InputError, match=f"is a {kind} .*: a policy is judged by energies and forces"):
        deploy(str(model), MINE, place / "dipoles.model", system, "cpu", "e3nn", place / "cache", 0, lambda text: None)


def test_a_model_is_written_with_what_it_errs_by(place: Path) -> None:
    from mpcheck.policy.running.deployed import about, load

    system, out = str(place / "six.xyz"), place / "fast.model"
    lines = deploy(str(place / "small.model"), MINE, out, system, "cpu", "e3nn", place / "cache", 0, lambda text: None)
    assert lines[0].startswith(f"wrote {out}")
    document = about(out)
    assert document.errors["force_meV_per_A"] == pytest.approx(document.errors["force_meV_per_A"])
    assert document.system == system
    assert load(out).policy.name == "mine"


def test_nothing_is_written_of_what_does_not_run_as_it_says(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applied, "substituted", lambda root, path, module: root)
    out = place / "wrong.model"
    with pytest.raises(InputError, match="does not run as it says"):
        deploy(str(place / "small.model"), MINE, out, str(place / "six.xyz"), "cpu", "e3nn", place / "cache", 0, lambda text: None)
    assert not out.exists()


def test_a_model_of_two_heads_runs_in_16_bits(place: Path) -> None:
    model = place / "heads.model"
    torch.save(built("ScaleShiftMACE", ("a", "b")), model)
    work = PolicyWork(options(place, model=str(model), policies=("all-bf16", "linear-bf16")))
    for policy in ("all-bf16", "linear-bf16"):
        assert {r.verdict for r in records(work, policy).values()} == {"pass"}, policy


def test_a_block_that_is_beyond_its_own_limit_is_not_lowered(work: PolicyWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the model would stay within the budget."""
    study = next(iter(work.studies.values()))
    assert within(study)("interactions.0.linear", "bfloat16") is True
    assert within(study)("no.such.block", "bfloat16") is None
    original = PrecisionCheck.replayed

    def worse(self: PrecisionCheck, key: CellKey, fmt: Format) -> Record:
        found = original(self, key, fmt)
        beyond = key.block == "interactions.0.linear" and key.format == "bfloat16"
        return found.model_copy(update={"verdict": "fail", "reason": "planted"}) if beyond else found

    monkeypatch.setattr(PrecisionCheck, "replayed", worse)
    assert within(study)("interactions.0.linear", "bfloat16") is False
    piece = next(p for p in work.pieces() if p.planned.check == "policy-budget")
    detail = next(r.detail for r in work.records(piece) if r.subject == "interactions.0.linear")
    assert isinstance(detail, PolicyBlock) and detail.alone == "float16"
    assert "in bfloat16 the block itself is beyond its limit" in (detail.alone_reason or "")


def test_records_tell_whose_float64_values_judged(work: PolicyWork) -> None:
    """A gate reads it off base's records, and judges head by them."""
    study = next(iter(work.studies.values()))
    assert study.reference.spec is not None
    told = work.session.reference(study.system, 0.0)
    assert told["code"] == study.reference.spec.code != "" and told["from"] in ("made now", "cache")
