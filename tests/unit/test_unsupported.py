"""Why something cannot run: whose lack it is, and what tolerates it."""

from __future__ import annotations

import pytest

from mpcheck._unsupported import BACKENDS_OWN, CODES, Unsupported, no_device, of_backend, tolerated


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_reason_is_the_same_after_another_process(code: str) -> None:
    reason = of_backend("cueq", "no luck", code)  # type: ignore[arg-type]
    assert Unsupported.of(reason.fields()) == reason and str(reason) == "no luck"
    assert reason.lacking == ("cueq" if code in BACKENDS_OWN else "")


def test_a_reason_that_names_what_is_lacking_keeps_it() -> None:
    kernels = Unsupported("no-kernel", "no kernels", "cueq-kernels")
    assert of_backend("cueq", kernels, "no-conversion") is kernels
    assert of_backend("cueq", no_device(), "no-kernel").lacking == "cuda"


@pytest.mark.parametrize("fields", [None, {}, {"code": "luck", "text": "", "lacking": ""}, {"code": "empty", "text": ""}])
def test_other_data_is_no_reason(fields: object) -> None:
    with pytest.raises(ValueError, match="no reason"):
        Unsupported.of(fields)


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [([], ""), (["e3nn"], ""), (["cueq"], "cueq"), (["cu*"], "cu*"), (["cueq:products.*"], "cueq:products.*"), (["cueq:readouts.*"], "")],
)
def test_what_tolerates_a_substitution(allowed: list[str], expected: str) -> None:
    assert tolerated(allowed, "cueq", "products.0.linear") == (f"--allow-degraded {expected}" if expected else "")
