"""Random numbers that are functions of values, as rounding is.

Two equal numbers are rounded alike, so their errors add up instead of averaging out; a number that every format holds exactly is not
rounded at all. Every random number of the Monte Carlo arithmetic is therefore a hash of a significand and a seed.
"""

from __future__ import annotations

import torch

SIGNIFICAND = (1 << 52) - 1
EXACT_BITS = (1 << 45) - 1  # zero in numbers of 8 significant bits, which every format holds
MIX_1, MIX_2 = -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15  # odd multipliers of splitmix64, as signed 64-bit integers
MIX_3 = -0x61C8864680B583EB  # the golden ratio's, for a second thing that is hashed


def mixed(bits: torch.Tensor) -> torch.Tensor:
    """A 64-bit hash of 64-bit integers, which are overwritten."""
    bits.mul_(MIX_1)
    return bits.bitwise_xor_(bits >> 32).mul_(MIX_2)


def hashed(x: torch.Tensor, seed: int) -> torch.Tensor:
    """A 64-bit hash of the significand, as float64 in [-2**63, 2**63]; 0 where every format holds the value exactly."""
    bits = x.contiguous().view(torch.int64) & SIGNIFICAND
    inexact = (bits & EXACT_BITS).to(torch.float64).clamp_(max=1.0)  # 0 or 1: a third of the time that a mask takes
    bits.add_(1 << 9).bitwise_right_shift_(10).bitwise_xor_(seed)  # the last ten bits are float64's own rounding
    return mixed(bits).to(torch.float64).mul_(inexact)


def xi(x: torch.Tensor, seed: int) -> torch.Tensor:
    """Uniform in [-1, 1], the same for equal significands; 0 where every format holds the value exactly. float64 only."""
    return hashed(x, seed).mul_(2.0**-63)


def xi_of_additions(terms: torch.Tensor, sums: torch.Tensor, seed: int) -> torch.Tensor:
    """What rounding does when ``terms`` are added and give ``sums``: in [-1, 1], for float64 tensors of one shape.

    A partial sum is a multiple of its own spacing. What is rounded off is therefore a function of the term and of the partial sum's
    exponent alone: equal terms err alike as long as the sum stays between two powers of two, and a term of the other sign errs the
    other way. Terms that are equal to float32's digits count as equal. 0 where nothing is added, or all of it is held exactly.
    """
    bits, exponent = terms.contiguous().view(torch.int64) & SIGNIFICAND, torch.frexp(sums).exponent.to(torch.int64)
    inexact = ((bits | sums.view(torch.int64)) & EXACT_BITS).to(torch.float64).clamp_(max=1.0)
    inexact.mul_(terms.sign())
    bits.add_(1 << 28).bitwise_right_shift_(29).bitwise_xor_(seed)
    bits.bitwise_xor_(exponent.sub_(torch.frexp(terms).exponent).mul_(MIX_3))
    return mixed(bits).to(torch.float64).mul_(2.0**-63).mul_(inexact)
