"""Sound steps are not red: every regime, several heads, frozen parameters; what cannot be trained is said in one record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.learning.step import inspection, narrow, replay
from mpcheck.learning.step.names import DERIVATIVE, DIGEST, GRADIENTS, LOSS, OPTIMIZER, UPDATE
from mpcheck.learning.step.regimes import EVERY, Regime
from mpcheck.policy.running.autocast import Emulation
from mpcheck.records.record import Record
from mpcheck.sessions.run import Options, Session
from tests.unit.checks.uses.small_models import built, session_of
from tests.unit.learning.step.conftest import Steps, steps_of

WHOLE = [LOSS, GRADIENTS, DIGEST, OPTIMIZER, UPDATE]


def told(records: dict[str, Record]) -> dict[str, str]:
    return {subject: r.reason for subject, r in records.items() if r.verdict not in ("pass", "unsupported")}


@pytest.mark.parametrize("regime", EVERY, ids=[r.name for r in EVERY])
def test_every_regime_is_green_or_says_why_it_cannot_run(steps: Steps, regime: Regime) -> None:
    records = steps(regime.kind, regime.format.name)
    assert told(records) == {}
    if regime.kind == "amp" or regime.name == "stored-float16":  # on a CPU; torch's own loss scaling
        assert [(s, r.verdict) for s, r in records.items()] == [("step", "unsupported")] and records["step"].reason
    else:
        assert list(records) == [*WHOLE, *([DERIVATIVE] if regime.name == "plain-float64" else [])]
        assert {r.verdict for r in records.values()} == {"pass"}


def test_a_step_judges_every_parameter_and_each_of_the_optimizers_moments(steps: Steps, run: Session) -> None:
    records = steps()
    parameters = {n for n, _ in run.reference_backend.model.named_parameters()}
    assert {q.name.removeprefix("weight.loss.") for q in records[GRADIENTS].quantities} == parameters
    assert {q.name for q in records[OPTIMIZER].quantities} == {f"{s}.{n}" for s in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") for n in parameters}
    assert {q.name for q in records[UPDATE].quantities} == {f"{s}.{n}" for s in ("change", "updated") for n in parameters}
    assert [q.shape for q in records[DIGEST].quantities] == [[4]] * len(parameters)
    assert all(q.rms is not None and q.rms > 0 for q in records[GRADIENTS].quantities)  # float32 is not float64


def test_the_model_is_left_as_it_was(steps: Steps, run: Session) -> None:
    before = {n: p.detach().clone() for n, p in run.reference_backend.model.named_parameters()}
    steps("plain", "float64")
    steps("masters", "float16")
    assert all((before[n] == p).all() and p.grad is None for n, p in run.reference_backend.model.named_parameters())


def test_a_step_that_is_nothing_but_rounding_shows_nothing(monkeypatch: pytest.MonkeyPatch, steps: Steps, run: Session) -> None:
    """As on structures whose energies are so large that their rounding is more than a usual error."""
    library = inspection.library_of(run, "builtin:water")
    sound = library.of(EVERY[1])
    noisy = {n: {c: 1e8 * t for c, t in by.items()} for n, by in sound.noise.items()}
    monkeypatch.setattr(library, "of", lambda *_, **__: replace(sound, noise=noisy))
    records = steps()
    assert {r.verdict for r in records.values()} == {"inconclusive"}
    assert "times the gradient by plain-float32 on this structure: its step shows nothing" in records[GRADIENTS].reason


def test_a_step_of_a_model_with_several_heads(tmp_path: Path) -> None:
    run = session_of(built("ScaleShiftMACE", ("first", "second")), tmp_path)
    assert told(steps_of(run)) == {} and len(steps_of(run)) == len(WHOLE)


def test_a_pair_repulsion_which_upstream_makes_in_the_default_type(tmp_path: Path) -> None:
    run = session_of(built("ScaleShiftMACE", pair_repulsion=True, distance_transform="Agnesi"), tmp_path)
    assert told(steps_of(run, fmt="float64")) == {}


def test_frozen_parameters_are_not_judged(tmp_path: Path) -> None:
    model = built("MACE")
    for parameter in model.interactions.parameters():
        parameter.requires_grad_(False)
    run = session_of(model, tmp_path)
    records = steps_of(run, fmt="float64")
    assert told(records) == {}
    assert all(".interactions." not in q.name for q in records[GRADIENTS].quantities) and records[GRADIENTS].quantities


def test_what_has_nothing_to_train_says_so(tmp_path: Path) -> None:
    frozen = built("MACE").requires_grad_(False)
    dipoles = built("AtomicDipolesMACE")
    for name, model, said in (("frozen", frozen, "wants a gradient"), ("dipoles", dipoles, "no energy with forces")):
        (tmp_path / name).mkdir()
        (record,) = steps_of(session_of(model, tmp_path / name)).values()
        assert (record.verdict, record.subject) == ("unsupported", "step") and said in record.reason


@pytest.mark.slow
def test_cuequivariance_is_judged_in_its_own_parameters(cache: Path) -> None:
    run = Session(Options(systems=("builtin:water",), backends=("e3nn", "cueq"), cache=cache))
    records = steps_of(run, fmt="float64", backend="cueq")
    assert told(records) == {} and len(records) == len(WHOLE) + 1
    for subject in (GRADIENTS, OPTIMIZER, UPDATE):
        assert any("cueq:products.0.symmetric_contractions.weight" in q.name for q in records[subject].quantities)
    assert told(steps_of(run, "masters", "bfloat16", "cueq")) == {}


@pytest.mark.parametrize("fmt", ["bfloat16", pytest.param("float16", marks=pytest.mark.slow)])
def test_autocast_as_it_is_emulated_is_green_by_its_own_noise(monkeypatch: pytest.MonkeyPatch, steps: Steps, fmt: str) -> None:
    """torch.autocast takes no MACE on a CPU; the emulation of whole models by policy stands in for it, forward and backward."""

    def forward(self: narrow.Autocast, *args: Any, **kwargs: Any) -> Any:
        mode.__enter__()
        return self.model(*args, **kwargs)

    original = replay.taken

    def taken(*args: Any, **kwargs: Any) -> Any:
        try:
            return original(*args, **kwargs)
        finally:
            mode.__exit__(None, None, None)

    mode = Emulation(getattr(torch, fmt))
    monkeypatch.setattr(inspection, "impossible", lambda *_: None)
    monkeypatch.setattr(narrow.Autocast, "forward", forward)
    monkeypatch.setattr(replay, "taken", taken)
    records = steps("amp", fmt)
    assert told(records) == {} and list(records) == WHOLE
    assert all(q.rms is not None and q.rms > 0.01 for q in records[GRADIENTS].quantities)  # the noise is not out of all proportion
