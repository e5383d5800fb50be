"""Which differences of settings weaken a gate: every field has a rule, and none calls a weaker gate a stricter one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mpcheck.gate.differences as module
from mpcheck.bench.decide.decision import Rule
from mpcheck.bench.launch.measurement import PAIRED_EFFORT
from mpcheck.gate.differences import RULES, covered, narrows
from mpcheck.gate.settings import FIELDS, VARIABLES, GateSettings
from mpcheck.history.objections import RED
from mpcheck.sessions.bench import LAUNCHES, MARGIN, SECONDS


def of(**fields: Any) -> GateSettings:
    return GateSettings.model_validate({name.replace("_", "-"): value for name, value in fields.items()})


def effects(base: GateSettings, head: GateSettings) -> dict[str, str]:
    return {found.what: found.effect for found in narrows(base, head)}


def test_every_setting_has_a_rule_and_can_be_pinned() -> None:
    bench = GateSettings.model_fields["bench"].annotation
    names = {n.replace("_", "-") for n in GateSettings.model_fields if n != "bench"} | {f"bench.{n.replace('_', '-')}" for n in bench.model_fields}
    assert set(RULES) == names == set(FIELDS) == set(VARIABLES.values())


def test_a_setting_without_a_rule_loosens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RULES", {})
    assert effects(of(), of(timeout=1.0)) == {"timeout": "loosens"}


def test_defaults_are_those_of_the_bench_session() -> None:
    assert (Rule().margin, PAIRED_EFFORT.looks[0], PAIRED_EFFORT.seconds) == (MARGIN, LAUNCHES, SECONDS)


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        ({}, {}, {}),
        ({"blocks": ["a", "b"]}, {"blocks": ["a"]}, {"blocks": "narrows"}),
        ({"blocks": ["a"]}, {"blocks": ["a", "b"]}, {"blocks": "widens"}),
        ({"blocks": []}, {"blocks": ["a"]}, {"blocks": "narrows"}),
        ({"blocks": ["a"]}, {"blocks": []}, {"blocks": "widens"}),
        ({"blocks": ["a.b"]}, {"blocks": ["a.*"]}, {"blocks": "widens"}),
        ({"blocks": ["a.*"]}, {"blocks": ["a.b"]}, {"blocks": "narrows"}),
        ({"blocks": ["*"]}, {"blocks": []}, {"blocks": "neutral"}),
        ({"formats": ["bf16"]}, {"formats": ["bfloat16"]}, {"formats": "neutral"}),
        ({"formats": ["bf16", "float32"]}, {"formats": ["float32", "float64"]}, {"formats": "narrows"}),
        ({"systems": ["a"]}, {"systems": []}, {"systems": "narrows"}),
        ({"systems": []}, {"systems": ["a"]}, {"systems": "narrows"}),
        ({"systems": ["a"]}, {"systems": ["b", "a"]}, {"systems": "widens"}),
        ({"backends": ["e3nn"]}, {"backends": []}, {"backends": "widens"}),
        ({"backends": ["cueq-mul_ir"]}, {"backends": []}, {"backends": "narrows"}),
        ({"backends": []}, {"backends": ["e3nn"]}, {"backends": "narrows"}),
        ({"require": ["cuda"]}, {"require": []}, {"require": "narrows"}),
        ({"sessions": ["precision", "bench"]}, {"sessions": ["bench"]}, {"sessions": "narrows"}),
        ({"margin": 0.05}, {"margin": 0.0}, {"margin": "widens"}),
        ({"margin": 0.0}, {"margin": 0.03}, {"margin": "loosens"}),
        ({"reference": "own"}, {"reference": "base"}, {"reference": "widens"}),
        ({"only_new": True}, {}, {"only-new": "widens"}),
        ({"baselines": "x"}, {"baselines": ""}, {"baselines": "loosens"}),
        ({"device": "cuda"}, {"device": "cpu"}, {"device": "loosens"}),
        ({"history": "x"}, {}, {"history": "neutral"}),
        ({"bench": {"seconds": 600.0}}, {}, {"bench.seconds": "neutral"}),
        ({"bench": {"seconds": 900.0}}, {}, {"bench.seconds": "loosens"}),
        ({"bench": {"launches": 9}}, {"bench": {"launches": 0}}, {"bench.launches": "loosens"}),
        ({"bench": {"threads": 2}}, {}, {"bench.threads": "loosens"}),
        ({}, {"bench": {"blocks": ["a"]}}, {"bench.blocks": "narrows"}),
        ({"blocks": ["a"], "bench": {"blocks": ["b"]}}, {"blocks": ["a"]}, {"bench.blocks": "narrows"}),
        ({"bench": {"formats": ["float32"]}}, {}, {"bench.formats": "widens"}),
    ],
)
def test_effects(base: dict[str, Any], head: dict[str, Any], expected: dict[str, str]) -> None:
    assert effects(of(**base), of(**head)) == expected


def test_what_the_workflow_pins_is_neutral() -> None:
    assert [o.effect for o in narrows(of(blocks=["a", "b"]), of(blocks=["a"]), {"blocks"})] == ["neutral"]


def test_what_is_allowed_is_told() -> None:
    [found] = narrows(of(), of(reference="own"))
    assert found.red(()) and not found.red({"settings"}) and found.red({"model", "moved"})
    assert found.text() == "setting reference: base in base, own in head (more would be tolerated)"
    assert found.text({"settings"}).endswith("; tolerated by the workflow")


NAMES = st.lists(st.sampled_from(["a", "b", "a.b", "a.*", "*", "e3nn", "cueq", "float32", "bf16"]), max_size=3)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "systems": NAMES, "backends": NAMES, "formats": NAMES, "blocks": NAMES, "require": NAMES, "margin": st.sampled_from([0.0, 0.01, 0.5]),
        "only_new": st.booleans(), "reference": st.sampled_from(["base", "own"]), "install": st.sampled_from(["", "x"]),
        "sessions": st.sampled_from([["precision"], ["bench"], ["precision", "bench"]]), "model": st.sampled_from(["m", "n"]),
        "bench": st.fixed_dictionaries({}, optional={"launches": st.integers(0, 9), "blocks": NAMES, "threads": st.integers(1, 3)}),
    },
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(SETTINGS, SETTINGS, SETTINGS)
def test_no_way_back_is_stricter_than_none(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    """Nothing differs from itself; what widens one way narrows the other; two steps that weaken nothing weaken nothing together."""
    one, two, three = of(**a), of(**b), of(**c)
    assert narrows(one, one) == []
    there, back = effects(one, two), effects(two, one)
    assert set(there) == set(back)
    assert all(back[name] in RED for name, effect in there.items() if effect == "widens")
    if not {*effects(one, two).values(), *effects(two, three).values()} & {*RED}:
        assert not {*effects(one, three).values()} & {*RED}


@given(st.text("ab.*?[]", max_size=5), st.text("ab.", max_size=4), NAMES)
def test_covered_patterns_select_no_less(pattern: str, name: str, others: list[str]) -> None:
    from fnmatch import fnmatchcase

    if covered(pattern, others) and fnmatchcase(name, pattern):
        assert any(fnmatchcase(name, other) for other in others)
