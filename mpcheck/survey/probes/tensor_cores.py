"""How a matrix product adds up: crafted products tell the width of the accumulator, whether it rounds or truncates, and what splits it.

A row ``[B, s, 0 …, -B]`` against ones sums to ``s`` exactly where the accumulator keeps ``s`` beside ``B``, and to 0 where it does not; the
smallest ``s`` that is kept gives its width in bits, and what becomes of 7/4 of the last bit whether it rounds. After X. Li, A. Li, B. Fang,
K. Swirydowicz, I. Laguna and G. Gopalakrishnan, FTTN, arXiv 2403.00232, whose tests are of single instructions: these go through the
libraries that a model's products go through.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._torch_state import neutral, reductions
from mpcheck.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, TF32, Format
from mpcheck.judge.replay import arithmetic
from mpcheck.records.detail import Value
from mpcheck.survey.found import Finding, write_found

SIZE = 64
"""Rows and columns of the products, all of them the same: enough that libraries take their kernels for tensor cores."""
NEAR, FAR = 16, 1024
"""Length of the sum: as short as one instruction's, and of many."""
MOST = 60
SCALE = 10
"""Exponent of B, so that what is far smaller is a normal number of float16, too."""
SPLIT = 1 << 16
"""Length of the sum that libraries cut into pieces."""

Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Sum:
    """How sums of a length are kept.

    Attributes:
        bits: distance in bits of the smallest addend that is kept from the largest one. rounding: ``nearest``, ``truncated`` or ``wider``,
            where what is below the last bit is kept as well.
    """

    bits: int
    rounding: str


def summed(terms: Sequence[tuple[float, float]], length: int, dtype: torch.dtype, device: torch.device, product: Product) -> float:
    """The sum of products ``a·b``: one row times one column; the last term stands at the end, zeros between.

    Args:
        terms: factors, each of which the type can hold.
    """
    left, right = (torch.zeros(length, dtype=torch.float64) for _ in range(2))
    for place, (a, b) in zip([*range(len(terms) - 1), length - 1], terms, strict=True):
        left[place], right[place] = a, b
    rows, columns = left.expand(SIZE, length).to(device, dtype).contiguous(), right.expand(SIZE, length).to(device, dtype).contiguous()
    return float(product(rows, columns.t())[0, 0])


def _factors(exponent: int, times: int = 1) -> tuple[float, float]:
    """Two factors of ``times · 2^exponent``, neither of them small."""
    half = exponent // 2
    return math.ldexp(times, half), math.ldexp(1.0, exponent - half)


def kept(length: int, dtype: torch.dtype, device: torch.device, product: Product) -> Sum:
    """How sums of a length are kept; see the module."""
    big, minus = _factors(SCALE), tuple(x * s for x, s in zip(_factors(SCALE), (-1.0, 1.0), strict=True))

    def left(exponent: int, times: int = 1) -> float:
        return summed([big, _factors(exponent, times), (minus[0], minus[1])], length, dtype, device, product)

    bits = 0
    for distance in range(1, MOST + 1):
        if left(SCALE - distance) != math.ldexp(1.0, SCALE - distance):
            break
        bits = distance
    last = math.ldexp(1.0, SCALE - bits)
    told = left(SCALE - bits - 2, 7) / last
    return Sum(bits, {2.0: "nearest", 1.0: "truncated", 1.75: "wider"}.get(told, f"7/4 of the last bit became {told:g}"))


def assumed(fmt: Format, device: str) -> int:
    """Bits that the noise scale takes the sum of a product to be kept to: ``u`` of its component is half the last of them."""
    return round(-math.log2(fmt.on(device)["inner"])) - 1


def findings(device: torch.device, product: Product = torch.matmul) -> Iterator[Finding]:
    """Each format's sums, short and long, and what reduced reductions change."""
    for fmt in (FLOAT64, FLOAT32, TF32, BFLOAT16, FLOAT16):
        if fmt.emulated(device.type):
            yield Finding(name="sums", format=fmt.name, verdict="unsupported", reason="not in this device's hardware")
            continue
        done = attempt(lambda fmt=fmt: _sums(fmt, device, product))  # type: ignore[misc]  # a loop's variable, bound
        yield _raised(fmt, done) if isinstance(done, Raised) else done
    for fmt in (BFLOAT16, FLOAT16):
        done = attempt(lambda fmt=fmt: _split(fmt, device, product))  # type: ignore[misc]
        yield _raised(fmt, done) if isinstance(done, Raised) else done


def _raised(fmt: Format, done: Raised) -> Finding:
    return Finding(name="sums", format=fmt.name, verdict="unsupported" if done.missing else "fail", reason=f"raised {done.text}")


def _sums(fmt: Format, device: torch.device, product: Product) -> Finding:
    with neutral(), arithmetic(fmt, device):
        short, long = (kept(length, fmt.storage, device, product) for length in (NEAR, FAR))
    wanted, least = assumed(fmt, device.type), min(short.bits, long.bits)
    figures: dict[str, Value] = {"bits": float(short.bits), "rounding": short.rounding}
    figures |= {"bits of long sums": float(long.bits), "rounding of long sums": long.rounding}
    said = f"{short.bits} bits {short.rounding} in a sum of {NEAR}, {long.bits} bits {long.rounding} in one of {FAR}"
    if least < wanted:
        return Finding(name="sums", format=fmt.name, verdict="fail", reason=f"{said}; tolerances take {wanted} bits to be kept", figures=figures)
    return Finding(name="sums", format=fmt.name, verdict="pass", reason=said, figures=figures)


def _split(fmt: Format, device: torch.device, product: Product) -> Finding:
    """The error of a long product of random numbers with reduced reductions allowed and not, in units of the output's own rounding."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = (torch.randn(SIZE, SPLIT, generator=generator, dtype=torch.float64).to(fmt.storage) for _ in range(2))
    exact = rows.double() @ columns.double().t()
    unit = torch.finfo(fmt.storage).eps / 2 / math.sqrt(3.0) * float(exact.square().mean().sqrt())
    told = {}
    with neutral(), arithmetic(fmt, device):
        for allowed in (False, True):
            with reductions(allowed):
                got = product(rows.to(device), columns.to(device).t()).double().cpu()
            told[allowed] = float((got - exact).square().mean().sqrt()) / unit
    said = f"error of a sum of {SPLIT}: {told[False]:.2f} of its rounding, with reduced reductions {told[True]:.2f}"
    figures: dict[str, Value] = {"error": told[False], "error with reduced reductions": told[True]}
    return Finding(name="reduced reductions", format=fmt.name, verdict="pass", reason=said, figures=figures)


def main(words: Sequence[str]) -> int:
    """``DEVICE OUT``: leave what was found in ``OUT``; 0."""
    device, out = words
    write_found(Path(out), list(findings(torch.device(device))))
    return 0
