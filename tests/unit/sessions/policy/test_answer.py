"""The first lines: what is safe, what the fastest costs and gains, what to type; and nothing that is not safe is recommended."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.sessions.policy.answer import answer, number, rows
from mpcheck.sessions.policy.found import found_file
from tests.unit.sessions.policy.samples import document, errors, judged, searched, timed


def told(*records: object, **options: object) -> str:
    return "\n".join(answer(document(*records, **options)))  # type: ignore[arg-type]  # records and options


def test_the_fastest_that_is_safe() -> None:
    text = told(
        *judged("float32", errors(1e-4, 0.005)), *judged("linear-bf16", errors(0.5, 9.0)), *judged("all-bf16", errors(60.0, 300.0)),
        timed("float32", 1.6), timed("linear-bf16", 2.0), timed("all-bf16", 3.0),
    )  # fmt: skip
    lines = text.splitlines()
    assert lines[0] == "m on builtin:water: safe within 1 meV/atom, 10 meV/Å: float32, linear-bf16"
    assert lines[1] == "  not safe: all-bf16"
    assert "linear-bf16 on e3nn, 2.00 (1.80 to 2.20) times as fast as float64 on e3nn; it errs by 0.5 meV/atom and 9 meV/Å" in lines[2]
    assert "mpcheck apply m --policy linear-bf16 --backend e3nn -o own.model" in text


def test_the_user_s_own_budget_decides() -> None:
    pair = (*judged("float32", errors(1e-4, 0.005)), *judged("linear-bf16", errors(0.5, 9.0)))
    assert "safe within 0.1 meV/atom: float32" in told(*pair, budget="0.1 meV/atom")
    assert "no policy that was tried stays within 1e-06 meV/Å" in told(*pair, budget="1e-06 meV/Å")


@pytest.mark.parametrize(
    "records",
    [
        judged("quick", errors(0.1, 1.0), verdict="fail", reason="runs in float32"),
        judged("quick", errors(None, 1.0)),
        judged("quick", errors(0.1, None)),
        judged("quick", None, verdict="unsupported", reason="refused: no channels"),
        [r.model_copy(update={"verdict": "unsupported", "reason": "overflow"} if r.variant == "finite" else {}) for r in judged("quick", errors())],
        [r.model_copy(update={"verdict": "fail", "reason": "NaN"} if r.variant == "finite" else {}) for r in judged("quick", errors())],
    ],
)
def test_what_is_not_safe_is_never_recommended(records: list[object]) -> None:
    text = told(*judged("float32", errors(1e-4, 0.005)), timed("float32", 1.5), timed("quick", 9.0), *records)
    assert "safe within 1 meV/atom, 10 meV/Å: float32\n" in text
    assert "not safe: quick" in text
    assert "fastest of them here: float32" in text


def test_safe_on_one_backend_alone() -> None:
    records = (*judged("p", errors(0.1, 1.0)), *judged("p", errors(50.0, 1.0), "cueq"), timed("p", 1.5), timed("p", 4.0, "cueq"))
    assert "fastest of them here: p on e3nn" in told(*records)
    assert [r.backend for r in rows(document(*records))] == ["e3nn", "cueq"]


def test_nothing_was_timed() -> None:
    assert "fastest" not in told(*judged("float32", errors()))


def test_a_variant_s_time_is_not_the_policy_s() -> None:
    assert "1.50 (" in told(*judged("float32", errors()), timed("float32", 1.5), timed("float32", 9.0, variant="compile"))


def test_what_was_searched() -> None:
    text = told(*judged("float32", errors()), timed("float32", 1.5), searched())
    assert (
        "searched on e3nn: linear, layer 0 in float16, 2.50 times as fast as float64 on e3nn, a call holds 8 MB; it errs by 0.5 meV/atom and 3 meV/Å"
        " (0.6 and 4 predicted), in policy-e3nn.yaml" in text
    )
    assert "--policy policy-e3nn.yaml --backend e3nn" in text


def test_commands_can_be_copied(tmp_path: Path) -> None:
    """Names with spaces are quoted, and a policy that was found is named by the path that it was written to."""
    run = document(*judged("float32", errors()), timed("float32", 1.5), searched())
    run = run.model_copy(update={"model": run.model.model_copy(update={"name": "my own.model"})})
    run.lie_in(tmp_path / "run 1")
    text = "\n".join(answer(run))
    assert "mpcheck apply 'my own.model' --policy float32 --backend e3nn -o own.model" in text
    assert f"--policy '{tmp_path}/run 1/policy-e3nn.yaml' --backend e3nn" in text


def test_a_search_that_ends_at_a_policy_of_the_table_tells_no_second_time() -> None:
    text = told(*judged("float32", errors()), timed("float32", 1.5), searched(policy="float32"))
    assert "searched on e3nn: no mix within the budget is faster than float32" in text
    assert "2.50" not in text and text.count("to use") == 1


def test_each_of_several_systems_has_a_file_of_its_own() -> None:
    several = ["builtin:water", "a/b.xyz", "a-b.xyz"]
    names = [found_file("e3nn", system, several) for system in several]
    assert names == ["policy-e3nn-builtin-water.yaml", "policy-e3nn-a-b-xyz-2.yaml", "policy-e3nn-a-b-xyz-3.yaml"]
    assert found_file("cueq", "builtin:water", several[:1]) == "policy-cueq.yaml"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0"), (0.123, "0.12"), (1e-5, "1e-05"), (12345.0, "12345"), (57.3, "57"), (450.2, "450"), (1e7, "1e+07")]
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text
