"""What is kept in fewer bytes says the same."""

from __future__ import annotations

import pytest
import torch

from mpcheck.reference.packed import MANY, packed_noise, packed_values, unpacked_noise, unpacked_values

GENERATOR = torch.Generator().manual_seed(0)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)


def test_few_noise_scales_are_kept_to_the_bit_and_many_to_their_mean() -> None:
    few, many = draw(8).abs().float() * 1e-30, draw(MANY + 1).abs().float() * 1e30
    assert packed_noise(few) is few and torch.equal(unpacked_noise(packed_noise(few)), few)
    packed = packed_noise(many)
    assert packed.element_size() == 2
    again = unpacked_noise(packed)
    assert again.dtype == torch.float32 and float(((again - many) / many).abs().max()) <= 2.0**-8
    assert abs(float(again.double().square().mean().sqrt() / many.double().square().mean().sqrt()) - 1) < 1e-4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_values_of_a_format_come_back(dtype: torch.dtype) -> None:
    exact = {"out": draw(20, 5), "grad.random.x": draw(3)}
    rounded = {n: t.to(dtype).double() * (1 + 1e-9) for n, t in exact.items()}
    emulated = {n: t.to(dtype).double().clone() for n, t in exact.items()}
    emulated["out"][0, 0], emulated["out"][0, 1] = float("inf"), float("nan")
    emulated["grad.random.x"] = exact["grad.random.x"].clone()  # what a converter makes of numbers of the format is none
    made = {"rounded": rounded, "emulated": emulated}
    kept = packed_values(made, exact, dtype)
    assert kept["emulated:out"].dtype == dtype and kept["emulated:grad.random.x"].dtype == torch.float64
    assert not any(key.startswith("rounded:") for key in kept)
    again = unpacked_values(kept, exact)
    assert torch.equal(again["emulated"]["out"].nan_to_num(7.0), emulated["out"].nan_to_num(7.0))
    assert torch.equal(again["emulated"]["grad.random.x"], emulated["grad.random.x"])
    for name, value in rounded.items():
        gap, distance = (again["rounded"][name] - value).abs(), (value - exact[name]).abs()
        assert float((gap - 2.0**-23 * distance).max()) <= 2.0**-52 * 4, "24 bits of how far they lie from the exact ones"


def test_what_is_not_finite_or_has_no_exact_value_is_kept_as_it_is() -> None:
    exact = {"out": draw(3)}
    made = {"rounded": {"out": torch.tensor([1.0, float("inf"), 2.0], dtype=torch.float64), "more": draw(2)}, "emulated": {}}
    kept = packed_values(made, exact, torch.bfloat16)
    assert sorted(kept) == ["rounded:more", "rounded:out"]
    again = unpacked_values(kept, exact)["rounded"]
    assert all(torch.equal(again[n], t) for n, t in made["rounded"].items())
