"""The key of a reference is of all that makes it; a gate names other code."""

from __future__ import annotations

import pytest

from mpcheck._errors import InputError
from mpcheck.formats import Component
from mpcheck.reference.spec import FEW_KINDS, PINNED, ReferenceSpec, draws_of


def test_the_key_is_of_everything_that_makes_a_reference() -> None:
    spec = ReferenceSpec("model", "system", code="c0de", source="file")
    changes: list[dict[str, object]] = [
        {"model": "m"},
        {"system": "s"},
        {"seed": 1},
        {"draws": 7},
        {"device": "cuda"},
        {"code": "c"},
        {"source": "f"},
    ]
    keys = {ReferenceSpec(**{**spec.__dict__, **change}).key for change in changes}  # type: ignore[arg-type]
    assert len(keys | {spec.key}) == len(changes) + 1
    assert ReferenceSpec(**{**spec.__dict__, "by": ("mace from /elsewhere",)}).key == spec.key


def test_a_gate_names_other_code_s_references() -> None:
    spec = ReferenceSpec("ab12", "system", code="c0de", by=("mace",))
    assert spec.of({}) == spec.of({PINNED: ""}) == spec and not spec.pinned
    found = spec.of({PINNED: "0f:12"})
    assert (found.code, found.model, found.pinned) == ("0f", "12", True) and found.system == spec.system
    assert spec.of({PINNED: ":"}).code == ""
    for text in ("0f", "x:y", "0f:12:3", "../:a"):
        with pytest.raises(InputError, match=f"variable {PINNED} is .* unset it"):
            spec.of({PINNED: text})


@pytest.mark.parametrize(
    ("component", "elements", "composite", "draws"),
    [
        ("product", FEW_KINDS, False, 6),
        ("product", FEW_KINDS, True, 3),
        ("operand", FEW_KINDS, True, 6),
        ("scatter", FEW_KINDS, False, 3),
        ("underflow", FEW_KINDS, False, 2),
        ("product", FEW_KINDS - 1, True, 18),
    ],
)
def test_draws_go_where_they_decide(component: Component, elements: int, composite: bool, draws: int) -> None:
    assert draws_of(component, 6, elements, composite) == draws
    assert draws_of(component, 1, elements, composite) >= 2, "of one draw no spread is known"
