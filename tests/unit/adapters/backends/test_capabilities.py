"""What can be required, and what a requirement is of."""

from __future__ import annotations

import pytest

from mpcheck.adapters.backends.capabilities import capabilities, covers, lacks, requirable, unknown


def test_everything_that_can_be_required_is_listed_once() -> None:
    names = requirable()
    assert names[0] == "cuda" and names[-1] == "baseline" and len(names) == len(set(names))
    assert {"e3nn", "cueq", "cueq-mul_ir", "cueq-kernels"} <= set(names)
    assert set(capabilities()) == {"cueq-kernels"}


@pytest.mark.parametrize(
    ("required", "name", "covered"),
    [
        ("cueq", "cueq", True),
        ("cueq", "cueq-mul_ir", True),
        ("cueq-mul_ir", "cueq", False),
        ("cueq", "cueq-kernels", False),
        ("cueq-kernels", "cueq", True),
        ("cueq-kernels", "cueq-mul_ir", True),
        ("cueq-kernels", "e3nn", False),
        ("cuda", "cueq", False),
        ("cueq", "cueq+compile", True),
        ("cueq+compile", "cueq", False),
        ("cueq+compile", "cueq+compile", True),
        ("cueq", "e3nn+compile", False),
    ],
)
def test_a_requirement_covers_variants_and_owners(required: str, name: str, covered: bool) -> None:
    assert covers(required, name) is covered


def test_a_backend_may_be_required_in_a_variant() -> None:
    assert unknown(("cueq+compile", "cuda", "e3nn")) == []
    assert unknown(("cueq+fast", "nobodys", "nobodys+script")) == ["cueq+fast", "nobodys", "nobodys+script"]
    assert lacks(("cueq+compile",), "cueq+compile", "cueq") and not lacks(("cueq+compile",), "cueq", "cueq")


def test_only_what_is_missing_and_required_is_lacked() -> None:
    assert lacks(("cueq-kernels",), "cueq", "cueq-kernels") and lacks(("cueq",), "cueq", "cuda")
    assert not lacks(("cueq",), "cueq", "cueq-kernels"), "who requires a backend does not require its kernels"
    assert not lacks(("cueq",), "cueq", "") and not lacks((), "cueq", "cueq") and not lacks(("e3nn",), "cueq", "cueq")
