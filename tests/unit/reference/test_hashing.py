"""Random numbers that are functions of values: what is added errs as its term and the sum's exponent say."""

from __future__ import annotations

import torch

from mpcheck.reference.hashing import DIGITS, OPERAND_DIGITS, hashed, xi_of_additions


def test_equal_terms_err_alike_within_a_power_of_two() -> None:
    terms = torch.full((4,), 0.3, dtype=torch.float64)
    same, other = torch.tensor([1.1, 1.4, 1.7, 1.9], dtype=torch.float64), torch.tensor([2.3, 0.6, 4.4, 9.1], dtype=torch.float64)
    alike = xi_of_additions(terms, same, 3)
    assert torch.equal(alike, alike[0].expand(4)) and 0 < abs(float(alike[0])) <= 1
    assert len({float(x) for x in (*xi_of_additions(terms, other, 3), alike[0])}) == 5
    assert float(xi_of_additions(terms, same, 4)[0]) != float(alike[0])


def test_terms_of_other_sign_err_the_other_way_and_no_term_not_at_all() -> None:
    terms, sums = torch.tensor([0.3, -0.3, 0.0], dtype=torch.float64), torch.tensor([1.1, 1.2, 1.3], dtype=torch.float64)
    found = xi_of_additions(terms, sums, 3)
    assert float(found[0]) == -float(found[1]) != 0.0 and float(found[2]) == 0.0


def test_what_every_format_holds_is_not_rounded() -> None:
    whole = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    assert not xi_of_additions(whole, whole.cumsum(0), 3).any()


def test_numbers_that_a_format_cannot_tell_apart_err_alike() -> None:
    base = torch.linspace(1.1, 1.9, 50, dtype=torch.float64)

    def alike(distance: float, digits: int) -> float:
        return float((hashed(base, 5, digits=digits) == hashed(base * (1 + distance), 5, digits=digits)).double().mean())

    assert alike(1e-10, DIGITS) > 0.9 and alike(1e-7, DIGITS) == 0.0, "float32's spacing is 6e-8 to 1.2e-7"
    assert alike(1e-7, OPERAND_DIGITS) > 0.9 and alike(1e-3, OPERAND_DIGITS) == 0.0, "tf32's is 5e-4 to 1e-3"
