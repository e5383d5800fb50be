"""YAML as this package takes it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcheck._errors import InputError
from mpcheck._files.yaml import parse_yaml, validate
from mpcheck.judge.tolerances import Tolerances

TEXT = st.text(max_size=8)
CHEAP = settings(max_examples=60, deadline=None)
LEAF = st.none() | st.booleans() | st.integers(-(10**310), 10**310) | st.integers(-3, 3) | st.floats() | TEXT
JSON = st.recursive(LEAF, lambda c: st.lists(c, max_size=4) | st.dictionaries(TEXT, c, max_size=4), max_leaves=10)


@CHEAP
@given(text=st.text(max_size=40) | st.text("-:[]{}!&*?|>%@`'\"# \n\tab01_.~<=", max_size=30))
def test_any_text_is_yaml_or_refused(text: str) -> None:
    try:
        parse_yaml(text, "file f")
    except InputError as error:
        message = str(error)
        if "\n" in message or not message.startswith("file f"):
            pytest.fail(message)


@pytest.mark.parametrize(
    "text", ["!!bool maybe", "!!int ''", "!!float ''", "!!omap [1]", "{{a: 1}: 1}", "- " * 3000, "a: *b", "!!python/name:os.system x"]
)
def test_yaml_that_constructors_choke_on(text: str) -> None:
    with pytest.raises(InputError, match=r"file f.*not valid YAML"):
        parse_yaml(text, "file f")


BOMB = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 25))
LISTS = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "line .*values, those that aliases stand for"), (LISTS, "line .*values, those that aliases stand for"), ("[" * 5000, "nested deeper"),
        ("- " * 5000, "nested deeper"), ("{a: " * 40, "nested deeper"), ("a: &a [*a]", "inside what it stands for"), ("x: " + "9" * 5000, "digits"),
        ("x: 0x" + "f" * 5000, "beyond 64 bits"), ('x: "\\ud800"', "half a character"), ("x: " + "y" * 30_000, "30,000 characters"),
        ("- x\n" * 150_000, "larger than 512 KiB"),
    ],
)  # fmt: skip
def test_yaml_that_would_grow(text: str, says: str) -> None:
    with pytest.raises(InputError, match=f"file f.*{says}"):
        parse_yaml(text, "file f")


def test_aliases_of_ordinary_size_are_read() -> None:
    assert parse_yaml("a: &a {x: 1, y: [1, 2]}\nb: {<<: *a, x: 2}\nc: *a", "f") == {
        "a": {"x": 1, "y": [1, 2]}, "b": {"x": 2, "y": [1, 2]}, "c": {"x": 1, "y": [1, 2]},
    }  # fmt: skip


@CHEAP
@given(key=st.text("abc", min_size=1, max_size=3), first=st.integers(), second=st.integers())
def test_duplicate_keys_are_refused(key: str, first: int, second: int) -> None:
    for text in (f"{key}: {first}\n{key}: {second}\n", f"{{{key}: {first}, x: 1, {key}: {second}}}"):
        with pytest.raises(InputError, match="duplicate key"):
            parse_yaml(text, "file f")


@CHEAP
@given(mantissa=st.integers(-999, 999), exponent=st.integers(-300, 300))
def test_exponents_make_floats(mantissa: int, exponent: int) -> None:
    found = parse_yaml(f"a: {mantissa}e{exponent}", "file f")["a"]
    assert type(found) is float
    assert found == float(f"{mantissa}e{exponent}")


@CHEAP
@given(value=JSON)
def test_validate_refuses_what_is_no_tolerance_file(value: Any) -> None:
    with pytest.raises(InputError, match=r"^file f: "):
        validate(Tolerances, value, "file f")
