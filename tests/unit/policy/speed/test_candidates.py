"""Ways to run a model, in words, and built."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.rules import builtin, get_policy
from mpcheck.policy.speed.candidates import Candidate, build, emulated, parse_candidate
from mpcheck.sessions.run import Session
from tests.unit.checks.uses.small_models import built, session_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return session_of(built("ScaleShiftMACE"), tmp_path_factory.mktemp("small"))


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("float32", Candidate("float32")),
        ("float32 cueq", Candidate("float32", "cueq")),
        ("float32+compile", Candidate("float32", "e3nn", "compile")),
        ("int8w+fp16 cueq +script", Candidate("int8w+fp16", "cueq", "script")),
        ("int8w+fp16", Candidate("int8w+fp16")),
    ],
)
def test_words_are_read(text: str, parsed: Candidate) -> None:
    assert parse_candidate(text) == parsed
    assert parse_candidate(parsed.id) == parsed


@pytest.mark.parametrize("text", ["", "float32 cueq fast", "+compile", "float32 +fast"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"candidate .*variants are \+compile"):
        parse_candidate(text)


def test_every_builtin_policy_s_id_is_read_back() -> None:
    for name in builtin():
        assert parse_candidate(Candidate(name, "cueq", "compile").id) == Candidate(name, "cueq", "compile")


@pytest.mark.parametrize(
    ("policy", "gpu", "says"), [("tf32", False, "tf32"), ("autocast-bf16", False, "autocast"), ("tf32", True, ""), ("seeds", False, "")]
)
def test_what_a_cpu_emulates_has_no_time(policy: str, gpu: bool, says: str) -> None:
    assert emulated(get_policy(policy), torch.device("cuda" if gpu else "cpu")).partition(" ")[0] == says


@pytest.mark.parametrize(
    ("candidate", "code"), [("float32+cudagraph", "no-device"), ("tf32", "not-applicable"), ("linear-bf16+script", "no-operation")]
)
def test_what_cannot_be_had_says_why(run: Session, candidate: str, code: str) -> None:
    with pytest.raises(UnsupportedError) as refused:
        build(run, parse_candidate(candidate), run.graph("builtin:water"))
    assert refused.value.why.code == code


def test_a_model_that_upstream_s_recipe_does_not_rebuild_is_not_compiled(tmp_path: Path) -> None:
    other = session_of(built("MACE"), tmp_path)
    with pytest.raises(UnsupportedError, match="rebuilds ScaleShiftMACE only, not MACE"):
        build(other, parse_candidate("float32+compile"), other.graph("builtin:water"))


def test_a_call_is_of_energy_and_forces_and_leaves_what_it_was_given(run: Session) -> None:
    graph = run.graph("builtin:water")
    made = build(run, parse_candidate("float32"), graph)
    first, again = made.call(), made.call()
    assert torch.equal(first["forces"], again["forces"]) and not any(p.requires_grad for p in made.model.parameters())
    reference = evaluate(run.model.module, graph)
    assert 0 < float((first["forces"].double() - reference.forces).abs().max()) < 1e-4
    assert next(run.model.module.parameters()).dtype == torch.float64
