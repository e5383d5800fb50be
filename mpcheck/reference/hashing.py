"""Random numbers that are functions of values, as rounding is.

Two equal numbers are rounded alike, so their errors add up instead of averaging out; a number that every format holds exactly is not
rounded at all. Every random number of the Monte Carlo arithmetic is therefore a hash of a significand and a seed.
"""

from __future__ import annotations

import torch

SIGNIFICAND = (1 << 52) - 1
EXACT_BITS = (1 << 45) - 1  # zero in numbers of 8 significant bits, which every format holds
MIX_1, MIX_2 = -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15  # odd multipliers of splitmix64, as signed 64-bit integers
MIX_3 = -0x61C8864680B583EB  # the golden ratio's, for a place
DIGITS = 27
"""Binary digits by which numbers are told apart: float32's 24 and three more. Numbers that a file of eight decimals made all but equal round
alike in every format below float64."""
OPERAND_DIGITS = 14
"""The same of operands of matrix products, which tf32 alone rounds apart from what is stored: its 11 and three more."""
RESOLVED = 26  # binary digits of a sum down to which its terms are told apart: float32's 23 of the fraction, and three more


def mixed(bits: torch.Tensor) -> torch.Tensor:
    """A 64-bit hash of 64-bit integers, which are overwritten."""
    bits.mul_(MIX_1)
    return bits.bitwise_xor_(bits >> 32).mul_(MIX_2)


def hashed(x: torch.Tensor, seed: int, apart: bool = False, digits: int = DIGITS) -> torch.Tensor:
    """A 64-bit hash of the significand's first ``digits``, as float64 in [-2**63, 2**63]; 0 where every format holds the value exactly.

    ``apart``: of the place in the tensor as well. Numbers that symmetry makes equal differ in float64's last digits, and there round
    apart: what is the same by the digits that lower formats hold would cancel exactly where float64 leaves a rest.
    """
    bits = x.contiguous().view(torch.int64) & SIGNIFICAND
    inexact = (bits & EXACT_BITS).to(torch.float64).clamp_(max=1.0)  # 0 or 1: a third of the time that a mask takes
    bits.add_(1 << (52 - digits)).bitwise_right_shift_(53 - digits).bitwise_xor_(seed)
    if apart:
        bits.bitwise_xor_(torch.arange(bits.numel(), device=bits.device).mul_(MIX_3).reshape(bits.shape))
    return mixed(bits).to(torch.float64).mul_(inexact)


def xi(x: torch.Tensor, seed: int, apart: bool = False) -> torch.Tensor:
    """Uniform in [-1, 1], the same for equal significands; 0 where every format holds the value exactly. float64 only."""
    return hashed(x, seed, apart).mul_(2.0**-63)


def xi_of_additions(terms: torch.Tensor, sums: torch.Tensor, seed: int) -> torch.Tensor:
    """What rounding does when ``terms`` are added and give ``sums``: in [-1, 1], for float64 tensors of one shape.

    A partial sum is a multiple of its own spacing. What is rounded off is therefore a function of the term and of the partial sum's
    exponent alone: equal terms err alike as long as the sum stays between two powers of two, and a term of the other sign errs the
    other way. Terms that differ by less than an eighth of the spacing that the sum has in float32, in which the wide sums of all lower
    formats are kept, count as equal. 0 where nothing is added, or all of it is held exactly.
    """
    terms = terms.contiguous()
    inexact = ((terms.view(torch.int64) | sums.view(torch.int64)) & EXACT_BITS).to(torch.float64).clamp_(max=1.0)
    inexact.mul_(terms.sign())
    spacing = torch.maximum(torch.frexp(sums).exponent, torch.frexp(terms).exponent - 30) - RESOLVED
    bits = torch.ldexp(terms.abs(), -spacing).round_().to(torch.int64).bitwise_xor_(seed)
    return mixed(bits).to(torch.float64).mul_(2.0**-63).mul_(inexact)
