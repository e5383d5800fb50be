"""The fastest policy within a budget."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcheck._errors import InputError
from mpcheck.adapters.blocks import module_blocks
from mpcheck.formats import Compute
from mpcheck.policy.accuracy import Budget
from mpcheck.policy.assignment import assigned
from mpcheck.policy.families import Family, as_yaml, assembled, families
from mpcheck.policy.rules import Policy, builtin, get_policy
from mpcheck.policy.searching.search import PENALTY, Costs, Errors, Knapsack, Ranked, search, verified
from tests.unit.checks.uses.small_models import built

LOW: tuple[Compute, ...] = ("float16", "bfloat16")
Table = dict[tuple[str, Compute], tuple[float, float]]


def quadrature(table: Table, floor: tuple[float, float] = (0.01, 0.02), noisier: dict[str, float] | None = None) -> Errors:
    """Errors that add up in quadrature, family by family; of blocks that are ``noisier`` than the table says."""

    def errors(policy: Policy) -> tuple[float, float]:
        squares = [floor[0] ** 2, floor[1] ** 2]
        for rule in policy.rules:
            for path in rule.blocks:
                assert rule.compute is not None
                for i, error in enumerate(table[path, rule.compute]):
                    squares[i] += (error * (noisier or {}).get(path, 1.0)) ** 2
        return math.sqrt(squares[0]), math.sqrt(squares[1])

    return errors


def named(count: int) -> list[Family]:
    return [Family(f"f{i}", (f"f{i}",)) for i in range(count)]


errors_ = st.floats(1e-3, 3.0)
seconds_ = st.floats(-0.2, 1.0)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[Family], Table, Costs, Budget]:
    own = named(draw(st.integers(1, 5)))
    table = {(f.name, fmt): (draw(errors_), draw(errors_)) for f in own for fmt in LOW}
    costs = Costs("float32", 10.0, {f.name: {fmt: draw(seconds_) for fmt in LOW} for f in own})
    return own, table, costs, Budget(draw(st.floats(0.05, 4.0)), draw(st.one_of(st.floats(0.05, 4.0), st.just(math.inf))))


@settings(max_examples=150, deadline=None)
@given(problems())
def test_no_choice_within_the_budget_is_faster_than_the_one_that_is_found(problem: tuple[list[Family], Table, Costs, Budget]) -> None:
    own, table, costs, budget = problem
    errors = quadrature(table)
    formats: tuple[Compute, ...] = ("float32", *LOW)

    def price(choice: tuple[Compute, ...]) -> float:
        lowered = [(f, fmt) for f, fmt in zip(own, choice, strict=True) if fmt != "float32"]
        return PENALTY * costs.seconds * len(lowered) - sum(costs.saved[f.name][fmt] for f, fmt in lowered)

    def within(choice: tuple[Compute, ...]) -> bool:
        return budget.allows(*errors(assembled("x", "float32", dict(zip(own, choice, strict=True)))))

    every = [c for c in itertools.product(formats, repeat=len(own)) if within(c)]
    found = Knapsack(own, LOW, errors, costs).best(budget)
    assert (found is None) == (not every)
    if found is not None:
        assert budget.allows(*errors(assembled("x", "float32", found)))
        assert price(tuple(found[f] for f in own)) <= min(map(price, every)) + 1e-6 * costs.seconds


def test_where_errors_add_up_otherwise_the_prediction_of_the_whole_decides() -> None:
    own = named(4)
    alone = quadrature({(f.name, fmt): (0.4, 0.4) for f in own for fmt in LOW})

    def coherent(policy: Policy) -> tuple[float, float]:
        count = sum(len(r.blocks) for r in policy.rules)
        return (0.4 * count, 0.4 * count) if count > 1 else alone(policy)

    costs = Costs("float32", 1.0, {f.name: {"float16": 0.1} for f in own})
    chosen = Knapsack(own, LOW, coherent, costs).best(Budget(1.0, 1.0))
    assert chosen is not None and sum(fmt != "float32" for fmt in chosen.values()) == 2


def test_what_gains_nothing_and_what_is_not_finite_stays_in_the_base() -> None:
    own = named(3)
    table: Table = {(f.name, fmt): (1e-4, 1e-4) for f in own for fmt in LOW}
    table["f1", "float16"] = table["f1", "bfloat16"] = (math.inf, math.nan)
    costs = Costs("float32", 1.0, {"f0": {"float16": 0.0}, "f1": {"float16": 0.5}, "f2": {"bfloat16": 0.1}})
    assert Knapsack(own, LOW, quadrature(table), costs).best(Budget(1.0, 1.0)) == {own[0]: "float32", own[1]: "float32", own[2]: "bfloat16"}


def problem() -> tuple[list[Family], Table, list[Costs]]:
    own = named(4)
    table: Table = {(f.name, fmt): (0.3, 3.0) for f in own for fmt in LOW}
    saved: dict[str, dict[Compute, float]] = {"f0": {"float16": 4e-3}, "f1": {"float16": 3e-3}, "f2": {"float16": 2e-3}, "f3": {"float16": 1e-3}}
    return own, table, [Costs("float32", 20e-3, saved), Costs("float64", 40e-3, {})]


def test_a_block_ten_times_noisier_than_predicted_is_refused_and_the_next_policy_returned() -> None:
    own, table, costs = problem()
    budget = Budget(1.0, 10.0)
    ranked = search(own, LOW, quadrature(table), costs, budget)
    assert [b for r in ranked[0].policy.rules for b in r.blocks] == ["f0", "f1", "f2", "f3"]
    tried: list[str] = []
    choice = verified(ranked, quadrature(table, noisier={"f0": 10.0}), budget, tried.append)
    assert choice.chosen is not None and choice.energy <= 1.0 and choice.force <= 10.0
    assert [b for r in choice.chosen.policy.rules for b in r.blocks] == ["f1", "f2", "f3"]
    assert choice.refused[0].candidate == ranked[0] and choice.refused[0].force > 10.0 and "10 meV/Å allowed" in choice.refused[0].reason
    assert len(tried) == len(choice.refused) + 1
    assert all(r.candidate.seconds <= choice.chosen.seconds for r in choice.refused)


def test_nothing_is_returned_where_nothing_is_within_the_budget() -> None:
    own, table, costs = problem()
    ranked = search(own, LOW, quadrature(table), costs, Budget(1.0, 10.0))

    def measure(policy: Policy) -> tuple[float, float]:
        if policy.rules:
            return 0.1, math.nan
        raise InputError("no kernel")

    choice = verified(ranked, measure, Budget(1.0, 10.0))
    assert choice.chosen is None and len(choice.refused) == len(ranked)
    assert {r.reason for r in choice.refused if not r.candidate.policy.rules} == {"no kernel"}
    assert search(own, LOW, quadrature(table, floor=(2.0, 2.0)), costs, Budget(1.0, 10.0)) == []


def test_builtin_policies_are_among_the_candidates_and_one_that_is_faster_comes_first() -> None:
    own, table, costs = problem()
    errors = quadrature(table)

    def predicted(policy: Policy) -> tuple[float, float]:
        told = {"all-bf16": (91.0, 145.0), "linear-bf16": (0.5, 5.0), "radial-bf16": (1.2, 5.0), "autocast-bf16": (math.nan, math.nan)}
        return told.get(policy.name, (0.01, 0.02)) if policy.name in builtin() else errors(policy)

    policies = {n: (p, 1e-3 if n in ("all-bf16", "linear-bf16") else 30e-3) for n, p in builtin().items()}
    ranked = search(own, LOW, predicted, costs, Budget(1.0, 10.0), policies)
    assert next(r.policy.name for r in ranked if r.builtin) == ranked[0].policy.name == "linear-bf16"
    names = {r.policy.name for r in ranked}
    assert "all-bf16" not in names  # predicted far beyond
    assert {"radial-bf16", "autocast-bf16", "float64"} <= names  # beyond by less than predictions err, or not predicted: measured
    assert [r.seconds for r in ranked] == sorted(r.seconds for r in ranked)


def test_a_search_without_times_is_refused() -> None:
    with pytest.raises(InputError, match="seconds of one base"):
        search([], LOW, quadrature({}), [], Budget(1.0, 1.0))


def test_families_are_roles_in_layers_and_a_policy_of_them_names_their_blocks_alone(tmp_path: Path) -> None:
    blocks = module_blocks(built("ScaleShiftMACE"))
    own = {f.name: f for f in families(blocks)}
    assert {"linear, layer 0", "linear, layer 1", "radial MLP, layer 0", "spherical harmonics"} <= set(own)
    assert not any("atomic energies" in name for name in own)
    leaves = {b.module_path for b in blocks if b.kind == "leaf" and b.role != "atomic energies"}
    paths = [p for f in own.values() for p in f.paths]
    assert len(paths) == len(set(paths)) and set(paths) == leaves
    chosen: dict[Family, Compute] = {own["linear, layer 0"]: "float16", own["radial MLP, layer 1"]: "bfloat16", own["linear, layer 1"]: "float32"}
    policy = assembled("mine", "float32", chosen)
    formats = assigned(policy, blocks)
    assert {p for p, f in formats.items() if f.compute == "float16"} == set(own["linear, layer 0"].paths)
    assert {p for p, f in formats.items() if f.compute == "bfloat16"} == set(own["radial MLP, layer 1"].paths)
    path = tmp_path / "mine.yaml"
    path.write_text(as_yaml(policy), encoding="utf-8")
    assert get_policy(str(path)) == policy
    for other in builtin().values():
        path.write_text(as_yaml(other), encoding="utf-8")
        assert get_policy(str(path)) == other


def test_a_candidate_s_seconds_are_the_base_s_less_what_is_saved() -> None:
    own, table, costs = problem()
    fastest: Ranked = search(own, LOW, quadrature(table), costs, Budget(1.0, 10.0))[0]
    assert math.isclose(fastest.seconds, 10e-3)


def test_what_is_found_has_a_name_and_the_base_alone_is_the_builtin_policy() -> None:
    own, table, costs = problem()
    found = {r.policy.name: r.policy for r in search(own, LOW, quadrature(table), costs, Budget(1.0, 10.0))}
    assert len(found) == len({p.model_dump_json(exclude={"name", "title"}) for p in found.values()})
    assert found["float32"] == builtin()["float32"] and found["float64"] == builtin()["float64"] and "searched-1" in found
