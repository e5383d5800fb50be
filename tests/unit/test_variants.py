"""Names of backends with a variant in them."""

from __future__ import annotations

import pytest

from mpcheck._errors import InputError
from mpcheck._variants import VARIANTS, is_variant, parted
from mpcheck.sessions.typed import parse_backends

KNOWN = ("e3nn", "cueq", "cueq-mul_ir", "odd+name")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("e3nn", ("e3nn", "")),
        ("cueq-mul_ir", ("cueq-mul_ir", "")),
        ("odd+name", ("odd+name", "")),
        ("odd+name+script", ("odd+name", "script")),
        *((f"cueq+{variant}", ("cueq", variant)) for variant in VARIANTS),
    ],
)
def test_a_name_is_parted_into_a_backend_and_its_variant(name: str, expected: tuple[str, str]) -> None:
    assert parted(name, KNOWN) == expected
    assert is_variant(name, KNOWN) == bool(expected[1])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("e3nn+compil", r"unknown variant '\+compil' \(did you mean compile\?\) of backend e3nn; choose from \+script, \+compile, "),
        ("e3n+compile", "unknown backend 'e3n'.* in 'e3n.compile'; choose from e3nn, cueq"),
        ("e3nn+", r"unknown variant '\+'"),
        ("+compile", r"unknown backend '\+compile'"),
        ("e3nn+script+compile", r"unknown backend 'e3nn\+script'"),
        ("e3nn+cueq", r"unknown variant '\+cueq'"),
    ],
)
def test_an_unknown_one_is_one_line(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as told:
        parted(name, KNOWN)
    assert "\n" not in str(told.value) and not is_variant(name, KNOWN)


def test_the_command_line_takes_them() -> None:
    assert parse_backends(["e3nn+compile", "cueq", "e3nn+compile"]) == ("e3nn+compile", "cueq")
    with pytest.raises(InputError, match="unknown variant"):
        parse_backends(["e3nn+fast"])
